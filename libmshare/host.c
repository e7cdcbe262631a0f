/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <errno.h>
const char *host_path(void)
{
	return MSHARE_HOST_PATH;
}
int host_announce(int fd)
{
	return sys_ofd_lock(fd, false, PRESENCE_BYTE);
}
int host_present(int fd)
{
	return sys_ofd_test(fd, HOST_BYTE);
}
int host_ensure(int fd, const char *label)
{
	(void)label;
	int e = host_announce(fd);
	return e ? e : -ENOENT;
}
