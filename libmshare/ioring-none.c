/* SPDX-License-Identifier: MIT */
/* Built without liburing. */
#include "ioring.h"

#include <errno.h>

int ioring_open(struct ioring **out, const struct iovec *buffers, unsigned int count)
{
	(void)out;
	(void)buffers;
	(void)count;
	return -ENOSYS;
}

bool ioring_registered_all(const struct ioring *ring)
{
	(void)ring;
	return false;
}

int ioring_submit(struct ioring *ring, const struct ioring_request *request)
{
	(void)ring;
	(void)request;
	return -ENOSYS;
}

int ioring_reap(struct ioring *ring, unsigned int *index, int *result)
{
	(void)ring;
	(void)index;
	(void)result;
	return -ENOSYS;
}

void ioring_close(struct ioring *ring)
{
	(void)ring;
}
