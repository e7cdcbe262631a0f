/* SPDX-License-Identifier: MIT */
#include "ioqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"

struct io_queue {
	int fd;
	bool direct;
	struct ioring *ring; /* NULL: none */
	bool ring_fails; /* it takes no more, and may still owe results */
	bool all_by_ring;
	unsigned int depth;
	unsigned int flying;
	void *memory;
	struct io_slot slots[IO_DEPTH_MAX];
};

/* Direct I/O may be set at opening and refused for a length or an address: once is enough. */
static bool give_up_direct(struct io_queue *q)
{
	if (!q->direct || sys_set_direct(q->fd, false))
		return false;
	q->direct = false;
	debug("the file does not take direct I/O: going on through the page cache");
	return true;
}

static void finished(struct io_slot *slot, int err)
{
	slot->err = err;
	slot->state = IO_DONE;
}

static ssize_t transfer_some(const struct io_queue *q, const struct io_slot *slot)
{
	unsigned char *at = slot->bytes + slot->done;
	off_t off = (off_t)(slot->off + slot->done);
	size_t left = slot->len - slot->done;

	return slot->write ? sys_pwrite(q->fd, at, left, off) : sys_pread(q->fd, at, left, off);
}

/* What is left of a request, here and now. */
static void run_now(struct io_queue *q, struct io_slot *slot)
{
	q->all_by_ring = false;
	while (slot->done < slot->len) {
		ssize_t n = transfer_some(q, slot);

		if (n == -EINVAL && give_up_direct(q))
			continue;
		if (n <= 0) {
			finished(slot, n ? (int)n : slot->write ? -EIO : -ENODATA);
			return;
		}
		slot->done += (uint32_t)n;
	}
	finished(slot, 0);
}

static void submit(struct io_queue *q, struct io_slot *slot)
{
	struct ioring_request request = {
		.fd = q->fd,
		.write = slot->write,
		.index = (unsigned int)(slot - q->slots),
		.bytes = slot->bytes + slot->done,
		.len = slot->len - slot->done,
		.off = slot->off + slot->done,
	};
	int err = ioring_submit(q->ring, &request);

	if (err == 0) {
		slot->state = IO_FLYING;
		q->flying++;
		return;
	}
	debug("io_uring stopped working: %s", strerror(-err));
	q->ring_fails = true;
	run_now(q, slot);
}

void io_start(struct io_queue *q, struct io_slot *slot)
{
	slot->done = 0;
	if (q->ring && !q->ring_fails)
		submit(q, slot);
	else
		run_now(q, slot);
}

/* What says nothing about the file: no worker, a signal, an alignment that only shows in use. */
static bool is_worth_another_try(int result)
{
	return result == -EINTR || result == -EAGAIN || result == -ECANCELED || result == -EINVAL;
}

static void completed(struct io_queue *q, struct io_slot *slot, int result)
{
	if (is_worth_another_try(result)) {
		run_now(q, slot);
	} else if (result <= 0) {
		finished(slot, result ? result : slot->write ? -EIO : -ENODATA);
	} else {
		slot->done += (uint32_t)result;
		if (slot->done < slot->len)
			run_now(q, slot);
		else
			finished(slot, 0);
	}
}

/* A ring that cannot be waited for owes results that will never be known. */
static void reap(struct io_queue *q)
{
	unsigned int index;
	int result;
	int err = ioring_reap(q->ring, &index, &result);

	if (err == 0) {
		q->flying--;
		completed(q, &q->slots[index], result);
		return;
	}
	debug("io_uring cannot be waited for: %s", strerror(-err));
	q->ring_fails = true;
	q->flying = 0;
	for (unsigned int i = 0; i < q->depth; i++) {
		if (q->slots[i].state == IO_FLYING)
			finished(&q->slots[i], -EIO);
	}
}

static struct io_slot *find(struct io_queue *q, enum io_state state)
{
	for (unsigned int i = 0; i < q->depth; i++) {
		if (q->slots[i].state == state)
			return &q->slots[i];
	}
	return NULL;
}

struct io_slot *io_idle(struct io_queue *q)
{
	return find(q, IO_IDLE);
}

struct io_slot *io_finish(struct io_queue *q)
{
	struct io_slot *slot = find(q, IO_DONE);

	if (!slot && q->flying) {
		reap(q);
		slot = find(q, IO_DONE);
	}
	if (slot)
		slot->state = IO_IDLE;
	return slot;
}

/* Huge pages where the machine gives them: fewer entries for each request of a device. */
static int make_buffers(struct io_queue *q, struct iovec *buffers)
{
	int err = sys_mmap(NULL, q->depth * IO_BUFFER, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &q->memory);

	if (!err)
		err = sys_madvise(q->memory, q->depth * IO_BUFFER, MADV_DONTFORK);
	if (err)
		return err;
	if (sys_madvise(q->memory, q->depth * IO_BUFFER, MADV_HUGEPAGE))
		debug("no huge pages for the buffers");
	for (unsigned int i = 0; i < q->depth; i++) {
		q->slots[i].buffer = (unsigned char *)q->memory + i * IO_BUFFER;
		buffers[i] = (struct iovec){ q->slots[i].buffer, IO_BUFFER };
	}
	return 0;
}

int io_open(struct io_queue **out, int fd, unsigned int depth)
{
	struct io_queue *q = calloc(1, sizeof(*q));
	struct iovec buffers[IO_DEPTH_MAX];
	int err;

	if (!q)
		return -ENOMEM;
	q->fd = fd;
	q->depth = depth;
	q->direct = sys_is_direct(fd);
	err = make_buffers(q, buffers);
	if (err) {
		io_close(q);
		return -ENOMEM;
	}
	err = ioring_open(&q->ring, buffers, depth);
	if (err)
		debug("io_uring cannot be used: %s", strerror(-err));
	q->all_by_ring = !err;
	*out = q;
	return 0;
}

bool io_used_ring(const struct io_queue *q)
{
	return q->all_by_ring;
}

bool io_was_direct(const struct io_queue *q)
{
	return q->direct;
}

bool io_registered_all(const struct io_queue *q)
{
	return q->ring && ioring_registered_all(q->ring);
}

void io_close(struct io_queue *q)
{
	if (!q)
		return;
	while (io_finish(q))
		;
	if (q->ring)
		ioring_close(q->ring);
	if (q->memory)
		sys_munmap(q->memory, q->depth * IO_BUFFER);
	free(q);
}
