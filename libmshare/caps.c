/* SPDX-License-Identifier: MIT */
#include "caps.h"

#include <errno.h>
#include <sys/capability.h>

bool caps_ipc_lock(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	if (cap_get_flag(caps, CAP_IPC_LOCK, CAP_EFFECTIVE, &value))
		value = CAP_CLEAR;
	cap_free(caps);
	return value == CAP_SET;
}

/* Needs CAP_SETPCAP. Who lacks it (-EPERM) keeps a bounding set that gives nothing by itself. */
static int drop_bounding(void)
{
	for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++) {
		int err = (int)sys_result(cap_drop_bound(cap));

		if (err)
			return err == -EPERM ? 0 : err;
	}
	return 0;
}

static int drop_sets(void)
{
	cap_t none = cap_init();
	int err;

	if (!none)
		return -ENOMEM;
	err = (int)sys_result(cap_set_proc(none));
	cap_free(none);
	return err;
}

int caps_drop_all(void)
{
	int err = drop_bounding();

	if (!err)
		err = (int)sys_result(cap_reset_ambient());
	return err ? err : drop_sets();
}
