/* SPDX-License-Identifier: MIT */
/* The same without libcap, by the system calls behind it. */
#include "caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct __user_cap_header_struct own_header(void)
{
	return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

bool caps_ipc_lock(void)
{
	struct __user_cap_header_struct header = own_header();
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK);
}

/* Needs CAP_SETPCAP. Who lacks it (-EPERM) keeps a bounding set that gives nothing by itself;
 * -EINVAL ends the list. */
static int drop_bounding(void)
{
	long err = 0;

	for (unsigned long cap = 0; !err; cap++)
		err = sys_result(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	return err == -EPERM || err == -EINVAL ? 0 : (int)err;
}

int caps_drop_all(void)
{
	struct __user_cap_header_struct header = own_header();
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int err = drop_bounding();

	if (!err)
		err = (int)sys_result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	return err ? err : (int)sys_result(syscall(SYS_capset, &header, none));
}
