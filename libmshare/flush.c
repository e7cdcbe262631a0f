/* SPDX-License-Identifier: MIT */
#include "flush.h"

#include <errno.h>
#include <string.h>

#include "log.h"

static int range_error(int err, off_t off, uint64_t len)
{
	char size[SIZE_TEXT];

	return fail(err, "%s at offset %lld could not be written back: %s", size_text(len, size),
		    (long long)off, strerror(-err));
}

int flush_data(int fd, off_t off, uint64_t len, bool *used_uring)
{
	int err;

	*used_uring = false;
	if (off < 0 || len > (uint64_t)INT64_MAX - (uint64_t)off)
		return range_error(-EINVAL, off, len);
	if (len == 0)
		return 0;
	err = flush_uring(fd, off, len);
	if (err == -ENOSYS)
		err = flush_sync(fd, off, len);
	else
		*used_uring = true;
	return err ? range_error(err, off, len) : 0;
}
