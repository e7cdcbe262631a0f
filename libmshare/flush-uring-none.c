/* SPDX-License-Identifier: MIT */
/* Built without liburing. */
#include "flush.h"

#include <errno.h>

int flush_uring(int fd, off_t off, uint64_t len)
{
	(void)fd;
	(void)off;
	(void)len;
	return -ENOSYS;
}

int flush_uring_probe(void)
{
	return -ENOSYS;
}
