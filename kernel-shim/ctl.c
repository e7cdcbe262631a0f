/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>

#define DEVICE "/dev/mshare"

int ctl_open(void)
{
	int fd = sys_open(DEVICE, O_RDWR, 0);

	/* No node, or a node that nothing drives: the kernel does not do this. */
	return fd == -ENOENT || fd == -ENXIO || fd == -ENODEV ? -ENOSYS : fd;
}

int mshare_ctl(int device, unsigned long operation, void *argument)
{
	return sys_ioctl(device, operation, argument);
}
