/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include <errno.h>
#include <pthread.h>

#include "log.h"

struct entry entry_begin(void)
{
	struct entry entered = { .error = sys_errno() };

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &entered.cancel_state);
	return entered;
}

int entry_leave(struct entry entered, int err)
{
	if (err < 0)
		fail_publish();
	pthread_setcancelstate(entered.cancel_state, NULL);
	if (err < 0)
		return sys_fail(err);
	sys_set_errno(entered.error);
	return err;
}

int entry_unknown(mshare_t h)
{
	return fail(-EBADF, "handle %p is %s", (void *)h,
		    h ? "closed or was never open" : "NULL: creating or opening it failed");
}
