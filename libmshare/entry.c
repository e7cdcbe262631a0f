/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include <errno.h>

#include "log.h"

int entry_leave(int entered, int err)
{
	if (err >= 0) {
		sys_set_errno(entered);
		return err;
	}
	fail_publish();
	return sys_fail(err);
}

int entry_unknown(mshare_t h)
{
	return fail(-EBADF, "handle %p is %s", (void *)h,
		    h ? "closed or was never open" : "NULL: creating or opening it failed");
}
