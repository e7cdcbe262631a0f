/* SPDX-License-Identifier: MIT */
/*
 * Write-back with many pieces of the range in flight.
 *
 * First every piece is asked to start writing (sync_file_range), then the range is made durable
 * (fsync, which also writes the metadata needed to find the data again and empties the cache of the
 * device). Only the result of fsync is proof; the first step is there to keep the device busy.
 *
 * No msync(2) is needed to find what was stored through mappings. Where the file system writes
 * back, Linux maps a clean page of a shared mapping write-protected, so that the first store faults
 * and marks the page dirty in the page cache before it happens (vma_wants_writenotify(),
 * fault_dirty_shared_page()). Both requests walk those marks. Writing a page back takes the write
 * permission away again in every process that maps it (folio_mkclean()), before its bytes are read.
 *
 * A ring lives for one call: nothing is shared between threads or inherited by fork(2).
 */
#include "flush.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>

#include "log.h"

/*
 * Requests in flight. Each blocks a kernel worker thread of its own, of which there are at most
 * four a CPU; 16 chunks are 128 MiB, more than the queue of a device takes.
 */
#define QUEUE_DEPTH 16

/* Bytes of one fsync request, whose length has 32 bits. A multiple of every page size below 8 MiB.
 */
#define FSYNC_MAX (4 * GIB - FLUSH_CHUNK)

struct flight {
	struct io_uring ring;
	int fd;
	unsigned int pending; /* submitted and not reaped */
	int err; /* the first that a request ended with */
	bool cancelled; /* a request came back without having been tried */
};

/* What is still to be asked for, one request a piece. */
struct pieces {
	uint64_t next;
	uint64_t end;
	uint64_t piece;
	void (*prepare)(struct io_uring_sqe *sqe, int fd, uint64_t off, uint32_t len);
};

static void prepare_write(struct io_uring_sqe *sqe, int fd, uint64_t off, uint32_t len)
{
	io_uring_prep_sync_file_range(sqe, fd, len, off, SYNC_FILE_RANGE_WRITE);
}

/*
 * Linux takes off+len for the last byte, not for the one after it. That is left as it is: it costs
 * one page at most, and subtracting one would lose a page should Linux change its mind.
 */
static void prepare_fsync(struct io_uring_sqe *sqe, int fd, uint64_t off, uint32_t len)
{
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	sqe->off = off;
	sqe->len = len;
}

static void queue_pieces(struct flight *f, struct pieces *p)
{
	while (f->err == 0 && !f->cancelled && p->next < p->end) {
		uint64_t left = p->end - p->next;
		uint32_t len = (uint32_t)(left < p->piece ? left : p->piece);
		struct io_uring_sqe *sqe = NULL;

		if (f->pending + io_uring_sq_ready(&f->ring) < QUEUE_DEPTH)
			sqe = io_uring_get_sqe(&f->ring);
		if (!sqe)
			return;
		p->prepare(sqe, f->fd, p->next, len);
		p->next += len;
	}
}

/* 0, or -errno when the kernel took nothing and nothing is left to wait for. */
static int submit(struct flight *f)
{
	int taken = io_uring_sq_ready(&f->ring) ? io_uring_submit(&f->ring) : 0;

	if (taken < 0)
		return f->pending || taken == -EINTR ? 0 : taken;
	f->pending += (unsigned int)taken;
	return 0;
}

/*
 * Linux cancels what waits for a worker when it cannot start one: the process may have no more
 * threads (pids cgroup), or signals came so fast that each of three attempts met one.
 */
static void note_result(struct flight *f, int res)
{
	if (res == -ECANCELED)
		f->cancelled = true;
	else if (res < 0 && f->err == 0)
		f->err = res;
}

/* Waits for one completion and takes all that are there. Signals interrupt the wait, never a
 * request: the kernel's workers have them blocked. */
static int reap(struct flight *f)
{
	struct io_uring_cqe *done[QUEUE_DEPTH];
	unsigned int count;
	int err;

	do
		err = io_uring_wait_cqe(&f->ring, &done[0]);
	while (err == -EINTR);
	if (err < 0)
		return err;
	count = io_uring_peek_batch_cqe(&f->ring, done, QUEUE_DEPTH);
	for (unsigned int i = 0; i < count; i++)
		note_result(f, done[i]->res);
	io_uring_cq_advance(&f->ring, count);
	f->pending -= count;
	return 0;
}

/* -errno of the ring itself; what the requests ended with is in f->err. */
static int run(struct flight *f, struct pieces p)
{
	int err = 0;

	do {
		queue_pieces(f, &p);
		err = submit(f);
		if (err == 0 && f->pending)
			err = reap(f);
	} while (err == 0 && (f->pending || io_uring_sq_ready(&f->ring)));
	return err;
}

static int write_and_sync(struct flight *f, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	int err = 0;

	if (len > FLUSH_CHUNK)
		err = run(f, (struct pieces){ off, end, FLUSH_CHUNK, prepare_write });
	if (err == 0 && f->err == 0 && !f->cancelled)
		err = run(f, (struct pieces){ off, end, FSYNC_MAX, prepare_fsync });
	return err;
}

/*
 * The ring failing (seccomp may allow its setup and forbid its use) and requests never tried say
 * nothing about the file, so the twin can do it all again. A request failing does: the kernel
 * reports a lost page once, and the twin, asked afterwards, would claim success. So does one that
 * cannot be waited for.
 */
static int outcome(const struct flight *f, int ring_err)
{
	if (f->err == -ENOSYS || (ring_err && f->pending))
		return -EIO;
	if (f->err)
		return f->err;
	if (ring_err == 0 && f->cancelled)
		ring_err = -ECANCELED;
	if (ring_err == 0)
		return 0;
	debug("io_uring stopped working: %s", strerror(-ring_err));
	return -ENOSYS;
}

int flush_uring(int fd, off_t off, uint64_t len)
{
	struct flight f = { .fd = fd };
	int err = io_uring_queue_init(len > FLUSH_CHUNK ? QUEUE_DEPTH : 1, &f.ring, 0);

	if (err < 0) {
		debug("io_uring cannot be used: %s", strerror(-err));
		return -ENOSYS;
	}
	err = outcome(&f, write_and_sync(&f, (uint64_t)off, len));
	io_uring_queue_exit(&f.ring);
	return err;
}

/* A request that does nothing goes the whole way. */
int flush_uring_probe(void)
{
	struct flight f = { .fd = -1 };
	int err = io_uring_queue_init(1, &f.ring, 0);

	if (err < 0)
		return err;
	io_uring_prep_nop(io_uring_get_sqe(&f.ring));
	err = submit(&f);
	if (err == 0)
		err = reap(&f);
	io_uring_queue_exit(&f.ring);
	return err ? err : f.err;
}
