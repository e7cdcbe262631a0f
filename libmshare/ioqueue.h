/* SPDX-License-Identifier: MIT */
/*
 * Several large reads or writes of one file in flight, each from or to a buffer of its own: with
 * io_uring, or with pread(2) and pwrite(2), one at a time, where that is missing or forbidden.
 *
 * Buffers are never part of a region: what others store into a region meanwhile must not change
 * what is being written and has been summed up. They are not inherited by fork(2), so that a child
 * shares no page with a device. A queue belongs to one call, hence to one thread.
 */
#ifndef MSHARE_IOQUEUE_H
#define MSHARE_IOQUEUE_H

#include "image.h"
#include "ioring.h"

#define IO_DEPTH_DEFAULT 8
#define IO_DEPTH_MAX 64

/* A chunk, and in front of it room for its map. */
#define IO_BUFFER (IMAGE_PAGE + IMAGE_CHUNK)

enum io_state { IO_IDLE, IO_FLYING, IO_DONE };

struct io_slot {
	unsigned char *buffer; /* IO_BUFFER bytes, page aligned */
	/* For the caller to set before io_start(). */
	unsigned char *bytes; /* in buffer */
	uint32_t len;
	uint64_t off;
	bool write;
	uint64_t tag;
	/* After io_finish(). */
	int err; /* 0: all of it; -ENODATA: the file ends before; or -errno */

	uint32_t done; /* of len; the rest of the fields is private */
	enum io_state state;
};

struct io_queue;

/* fd stays the caller's, and loses O_DIRECT where that turns out not to work. 0 or -ENOMEM. */
must_check int io_open(struct io_queue **out, int fd, unsigned int depth);

/* One that has nothing to do; NULL: finish one first. */
struct io_slot *io_idle(struct io_queue *q);

/* Begins it. Failures show when it is finished. */
void io_start(struct io_queue *q, struct io_slot *slot);

/*
 * Waits for one and makes it idle; its fields stay until the next io_idle(). NULL: none was begun.
 */
struct io_slot *io_finish(struct io_queue *q);

/* Whether all so far went with io_uring, and past the page cache. */
bool io_used_ring(const struct io_queue *q);
bool io_was_direct(const struct io_queue *q);

/* Whether all buffers are registered with io_uring. */
bool io_registered_all(const struct io_queue *q);

/* Waits for all, whatever becomes of them. NULL is fine. */
void io_close(struct io_queue *q);

#endif
