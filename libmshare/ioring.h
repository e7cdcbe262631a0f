/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes of whole buffers with io_uring: ioring-uring.c, or ioring-none.c without
 * liburing. A ring belongs to one thread.
 */
#ifndef MSHARE_IORING_H
#define MSHARE_IORING_H

#include <sys/uio.h>

#include "util.h"

struct ioring;

struct ioring_request {
	int fd;
	bool write;
	unsigned int index; /* of the buffer that holds [bytes, bytes+len) */
	void *bytes;
	uint32_t len;
	uint64_t off;
};

/*
 * For one request at a time in each of count buffers. As many as RLIMIT_MEMLOCK has room for, from
 * the first on, are registered with the kernel. 0 or -errno: no ring can be had.
 */
must_check int ioring_open(struct ioring **out, const struct iovec *buffers, unsigned int count);

/* Whether all buffers are. */
bool ioring_registered_all(const struct ioring *ring);

/* 0: under way. -errno: the request was not begun, and the ring takes no more. */
must_check int ioring_submit(struct ioring *ring, const struct ioring_request *request);

/* Waits for one that is under way: its buffer, and its result as of pread(2), or -errno. -errno:
 * the ring is broken. */
must_check int ioring_reap(struct ioring *ring, unsigned int *index, int *result);

void ioring_close(struct ioring *ring);

#endif
