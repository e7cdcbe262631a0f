/* SPDX-License-Identifier: MIT */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>

#define DEVICE "/dev/mshare"

/* Where there is no descriptor left, whether there is a device is found out without one. */
static int open_device(void)
{
	int fd = sys_open(DEVICE, O_RDWR, 0);
	struct stat st;

	if ((fd == -EMFILE || fd == -ENFILE) && sys_statat(AT_FDCWD, DEVICE, &st) == -ENOENT)
		return -ENOENT;
	return fd;
}

int ctl_open(void)
{
	int fd = open_device();

	/* No node, or a node that nothing drives: the kernel does not do this. */
	return fd == -ENOENT || fd == -ENXIO || fd == -ENODEV ? -ENOSYS : fd;
}

int mshare_ctl(int device, unsigned long operation, void *argument)
{
	return sys_ioctl(device, operation, argument);
}
