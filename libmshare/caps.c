/* SPDX-License-Identifier: MIT */
#include "caps.h"
#include <sys/capability.h>
bool caps_ipc_lock(void)
{
	cap_flag_value_t v = 0;
	cap_t c = cap_get_proc();
	if (c) {
		cap_get_flag(c, CAP_IPC_LOCK, CAP_EFFECTIVE, &v);
		cap_free(c);
	}
	return v;
}
int caps_drop_all(void)
{
	return 0;
}
