/* SPDX-License-Identifier: MIT */
#include "ioring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct ioring {
	struct io_uring ring;
	unsigned int count; /* of buffers */
	unsigned int registered; /* from the first */
};

/*
 * Registered buffers stay pinned, which counts against RLIMIT_MEMLOCK; without, the kernel pins
 * them anew for each request. The limit refuses all or none: fewer may have room.
 */
static void register_buffers(struct ioring *r, const struct iovec *buffers, unsigned int count)
{
	int err, why = 0;

	for (r->registered = count; r->registered; r->registered /= 2) {
		err = io_uring_register_buffers(&r->ring, buffers, r->registered);
		if (!err)
			break;
		why = err;
		if (err != -ENOMEM)
			r->registered = 0;
	}
	if (why)
		debug("io_uring goes on with %u of %u buffers registered: %s", r->registered, count,
		      strerror(-why));
}

int ioring_open(struct ioring **out, const struct iovec *buffers, unsigned int count)
{
	struct ioring *r = calloc(1, sizeof(*r));
	int err = r ? io_uring_queue_init(count, &r->ring, 0) : -ENOMEM;

	if (err) {
		free(r);
		return err;
	}
	r->count = count;
	register_buffers(r, buffers, count);
	*out = r;
	return 0;
}

bool ioring_registered_all(const struct ioring *r)
{
	return r->registered == r->count;
}

static void prepare(const struct ioring *r, struct io_uring_sqe *sqe,
		    const struct ioring_request *q)
{
	bool fixed = q->index < r->registered;

	if (fixed && q->write)
		io_uring_prep_write_fixed(sqe, q->fd, q->bytes, q->len, q->off, (int)q->index);
	else if (fixed)
		io_uring_prep_read_fixed(sqe, q->fd, q->bytes, q->len, q->off, (int)q->index);
	else if (q->write)
		io_uring_prep_write(sqe, q->fd, q->bytes, q->len, q->off);
	else
		io_uring_prep_read(sqe, q->fd, q->bytes, q->len, q->off);
	io_uring_sqe_set_data64(sqe, q->index);
}

int ioring_submit(struct ioring *r, const struct ioring_request *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	int taken;

	if (!sqe)
		return -EBUSY;
	prepare(r, sqe, q);
	do
		taken = io_uring_submit(&r->ring);
	while (taken == -EINTR);
	return taken == 1 ? 0 : taken < 0 ? taken : -EIO;
}

int ioring_reap(struct ioring *r, unsigned int *index, int *result)
{
	struct io_uring_cqe *cqe;
	int err;

	do
		err = io_uring_wait_cqe(&r->ring, &cqe);
	while (err == -EINTR);
	if (err)
		return err;
	*index = (unsigned int)io_uring_cqe_get_data64(cqe);
	*result = cqe->res;
	io_uring_cqe_seen(&r->ring, cqe);
	return 0;
}

void ioring_close(struct ioring *r)
{
	io_uring_queue_exit(&r->ring);
	free(r);
}
