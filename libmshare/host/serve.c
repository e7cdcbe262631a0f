/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "align.h"
#include "collapse.h"
#include "host.h"
#include "place.h"
#include "vigil.h"

/* Mapped at a time: what this process has in memory, as the OOM killer sees it; and how much is
 * made huge before the end of the last user is seen. */
#define WINDOW (16 * MIB)

/* Milliseconds. */
#define RETRY_LATER 1000 /* after a look that failed */
#define SCAN_SOON 200 /* after a scan that found work */
#define SCAN_IDLE 6400 /* the pause doubles up to this */
#define SCAN_ALL 300000 /* an idle region is looked at anyway; see begin_afresh() */
#define SCAN_SHARE 10 /* at most one part in this many of the time is spent scanning */

struct service {
	int lock_fd;
	int view_fd;
	uint64_t pmd;
	unsigned char *done; /* a byte a piece, as collapse_filled() keeps it */
	uint64_t pieces;
	blkcnt_t blocks; /* allocated when last scanned */
	uint64_t pause;
	uint64_t next_scan, next_all; /* by now_ms() */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Whether somebody uses the region. Seen nobody, we give the host's lock back and look again: a
 * user that came in between either finds no host and starts one, or is found here.
 */
static int attended(struct service *s)
{
	int users = sys_ofd_test(s->lock_fd, PRESENCE_BYTE);
	int err;

	if (users)
		return users;
	err = sys_ofd_unlock(s->lock_fd, HOST_BYTE);
	if (err)
		return err;
	users = sys_ofd_test(s->lock_fd, PRESENCE_BYTE);
	if (users <= 0)
		return users;
	err = sys_ofd_lock(s->lock_fd, true, HOST_BYTE);
	if (err == -EAGAIN) /* another host was faster */
		return 0;
	return err ? err : 1;
}

/* Follows the size of the object. Pieces that are new, or were cut off, are not done. */
static int resize(struct service *s, uint64_t pieces)
{
	unsigned char *done;

	if (pieces == s->pieces)
		return 0;
	done = realloc(s->done, pieces ? pieces : 1);
	if (!done)
		return -ENOMEM;
	if (pieces > s->pieces)
		memset(done + s->pieces, 0, pieces - s->pieces);
	s->done = done;
	s->pieces = pieces;
	return 0;
}

/* Maps [off, off+len) for as long as it takes; nothing here touches it, so nothing raises SIGBUS
 * when the object shrinks. Pieces collapsed, or -errno. */
static long scan_window(const struct service *s, uint64_t off, uint64_t len)
{
	struct place_request place = {
		.len = len, .align = s->pmd, .prot = PROT_READ, .fd = s->view_fd, .off = (off_t)off
	};
	void *addr;
	long count = place_anywhere(&place, &addr);

	if (count)
		return count;
	count = collapse_filled(addr, len, s->pmd, s->done + off / s->pmd);
	sys_munmap(addr, len);
	place_freed(addr, len);
	return count;
}

/* The first piece with data at or after off; pieces before it are empty. -errno, -ENXIO: no more.
 */
static off_t skip_empty(struct service *s, uint64_t off)
{
	uint64_t end = s->pieces * s->pmd;
	off_t data = sys_seek_data(s->view_fd, (off_t)off);
	uint64_t next;

	if (data < 0 && data != -ENXIO)
		return data;
	next = data < 0 ? end : align_down((uint64_t)data, s->pmd);
	if (next > end)
		next = end;
	memset(s->done + off / s->pmd, 0, (next - off) / s->pmd);
	return next < end ? (off_t)next : -ENXIO;
}

/*
 * One look at everything, or until memory is short: every further try would make the kernel search
 * in vain. Pieces collapsed; what failed is tried again at the next scan.
 */
static long scan(struct service *s)
{
	uint64_t window = WINDOW > s->pmd ? WINDOW : s->pmd;
	uint64_t end = s->pieces * s->pmd;
	long total = 0;

	for (uint64_t off = 0, len; off < end; off += len) {
		off_t data = skip_empty(s, off);
		long count;

		if (data < 0 || sys_ofd_test(s->lock_fd, PRESENCE_BYTE) != 1)
			break;
		off = (uint64_t)data;
		len = end - off < window ? end - off : window;
		count = scan_window(s, off, len);
		if (count == -ENOMEM || count == -EBUSY)
			break;
		total += count > 0 ? count : 0;
	}
	return total;
}

/*
 * Forgets what is huge. A piece that was discarded and filled again between two looks, or split
 * and swapped out and in, would else stay in base pages for ever.
 */
static void begin_afresh(struct service *s, uint64_t now)
{
	memset(s->done, 0, s->pieces);
	s->next_all = now + SCAN_ALL;
}

/* Scanning costs time in proportion to the region: a long scan is followed by a long pause. */
static void plan_next(struct service *s, bool progress, uint64_t begun)
{
	uint64_t spent = now_ms() - begun;

	if (progress)
		s->pause = SCAN_SOON;
	else if (s->pause < SCAN_IDLE)
		s->pause *= 2;
	s->next_scan = now_ms() + s->pause;
	if (spent * SCAN_SHARE > s->pause)
		s->next_scan += spent * SCAN_SHARE - s->pause;
}

static int look(struct service *s, uint64_t now)
{
	struct stat st;
	bool all = now >= s->next_all;
	long collapsed = 0;
	int err = sys_fstat(s->view_fd, &st);

	if (!err)
		err = resize(s, (uint64_t)st.st_size / s->pmd);
	if (err)
		return err;
	if (all)
		begin_afresh(s, now);
	/* Where nothing was allocated or freed for a while there is nothing to find. */
	if (all || s->pause < SCAN_IDLE || st.st_blocks != s->blocks)
		collapsed = scan(s);
	plan_next(s, collapsed > 0 && !all, now);
	s->blocks = st.st_blocks;
	return 0;
}

int serve(int lock_fd, int view_fd)
{
	struct service s = { .lock_fd = lock_fd,
			     .view_fd = view_fd,
			     .pmd = page_sizes()->pmd,
			     .pause = SCAN_SOON,
			     .next_all = now_ms() + SCAN_ALL };
	int err = vigil_start() ?: 1;

	while (err > 0) {
		uint64_t now = now_ms();

		if (now >= s.next_scan && look(&s, now) == 0)
			now = now_ms();
		if (s.next_scan <= now) /* the look failed, for want of memory */
			s.next_scan = now + RETRY_LATER;
		err = vigil_keep(lock_fd, s.next_scan - now);
		if (!err)
			err = attended(&s);
	}
	free(s.done);
	return err;
}
