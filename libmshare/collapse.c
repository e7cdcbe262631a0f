/* SPDX-License-Identifier: MIT */
/*
 * What is relied on, as mm/khugepaged.c and mm/madvise.c have it since Linux 6.1:
 *   - MADV_COLLAPSE of shared memory needs one page somewhere in a piece (a base page, or one in
 *     swap). It fills the rest with zeroes and keeps the bytes; other processes' base page entries
 *     go, and their next touch maps the huge page.
 *   - It returns 0 only if every piece of the range is huge afterwards. It goes on after a piece
 *     that is busy and stops at any other failure, so an error does not tell which are huge now.
 *   - -EAGAIN: pages pinned, locked or isolated just now. -ENOMEM: no free huge page. -EBUSY: over
 *     the cgroup's limit. -EINVAL: shmem_enabled=deny, huge pages turned off for the process, or
 *     this piece cannot be (empty, cut off, no space left in the file system).
 *   - A piece that is huge already costs next to nothing, but each call first drains the page
 *     caches of all CPUs: few calls, with many pieces each.
 *   - mincore(2) tells 0 for a page of a shared file that is in swap only, and lies (all 1) to a
 *     process that neither owns the file nor may write to it.
 */
#include "collapse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* Pieces per call: long enough to be cheap, short enough that a signal is served soon. */
#define RUN_MAX 64
#define ATTEMPTS 3

enum piece_state {
	PIECE_SMALL = 0,
	PIECE_HUGE = 1, /* `done` for callers */
	PIECE_WANTED = 2, /* to be collapsed; within this file only */
};

/* Trying other pieces would only press harder on what is short. */
static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -EBUSY;
}

/* Marks what became huge. Halves a range that failed until the pieces that fail are alone. */
static int collapse_run(char *addr, size_t pieces, size_t pmd, unsigned char *state)
{
	int err = sys_madvise(addr, pieces * pmd, MADV_COLLAPSE);
	size_t half = pieces / 2;
	int rest;

	if (!err)
		memset(state, PIECE_HUGE, pieces);
	if (!err || pieces == 1)
		return err;
	err = collapse_run(addr, half, pmd, state);
	if (is_shortage(err))
		return err;
	rest = collapse_run(addr + half * pmd, pieces - half, pmd, state + half);
	return rest ? rest : err;
}

/* Collapses what is PIECE_WANTED. The last failure, or 0. */
static int collapse_wanted(char *addr, size_t pieces, size_t pmd, unsigned char *state)
{
	int failed = 0;

	for (size_t i = 0, run; i < pieces && !is_shortage(failed); i += run ? run : 1) {
		int err;

		for (run = 0; run < RUN_MAX && i + run < pieces; run++)
			if (state[i + run] != PIECE_WANTED)
				break;
		err = run ? collapse_run(addr + i * pmd, run, pmd, state + i) : 0;
		failed = err ? err : failed;
	}
	return failed;
}

static size_t count_state(const unsigned char *state, size_t pieces, enum piece_state wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < pieces; i++)
		count += state[i] == wanted;
	return count;
}

/* Base pages of [addr, addr+len) that are in memory; -errno. */
static long count_present(char *addr, size_t len, size_t page)
{
	unsigned char vec[1024];
	long present = 0;

	for (size_t off = 0; off < len; off += sizeof(vec) * page) {
		size_t part = len - off < sizeof(vec) * page ? len - off : sizeof(vec) * page;
		int err = sys_mincore(addr + off, part, vec);

		if (err)
			return err;
		for (size_t i = 0; i < part / page; i++)
			present += vec[i] & 1;
	}
	return present;
}

/* Wants the pieces that are filled and not known to be huge. 0 or -errno. */
static int want_filled(char *addr, size_t pieces, size_t pmd, unsigned char *state)
{
	size_t page = sys_page_size();
	long enough = (long)(pmd / page - pmd / page / 8);

	for (size_t i = 0; i < pieces; i++) {
		long present = count_present(addr + i * pmd, pmd, page);

		if (present < 0)
			return (int)present;
		if (present < enough)
			state[i] = PIECE_SMALL;
		else if (state[i] != PIECE_HUGE)
			state[i] = PIECE_WANTED;
	}
	return 0;
}

long collapse_filled(void *addr, size_t len, size_t pmd, unsigned char *done)
{
	size_t pieces = len / pmd;
	size_t wanted, left;
	int err = want_filled(addr, pieces, pmd, done);

	wanted = count_state(done, pieces, PIECE_WANTED);
	if (!err)
		err = collapse_wanted(addr, pieces, pmd, done);
	left = count_state(done, pieces, PIECE_WANTED);
	for (size_t i = 0; i < pieces; i++)
		if (done[i] == PIECE_WANTED)
			done[i] = PIECE_SMALL;
	return wanted == left ? err : (long)(wanted - left);
}

/* -EFAULT is where a touch would raise SIGBUS: no space left in the file system, or past the end
 * of the file. -EINVAL: the kernel does not know the advice, or the protection forbids it. */
static int populate(void *addr, size_t len, int advice)
{
	int err = sys_madvise(addr, len, advice);

	if (err == -EINVAL)
		return -EOPNOTSUPP;
	return err == -EFAULT ? -ENOMEM : err;
}

/* One page in each piece gives the kernel something to collapse. */
static int populate_first_pages(char *addr, size_t pieces, size_t pmd, int advice)
{
	int err = 0;

	for (size_t i = 0; !err && i < pieces; i++)
		err = populate(addr + i * pmd, sys_page_size(), advice);
	return err;
}

/* The pieces that are huge now; the reason if there are none; 0 if there is nothing to do. */
static long collapse_all(char *addr, size_t pieces, size_t pmd)
{
	unsigned char *state = pieces ? malloc(pieces) : NULL;
	size_t huge;
	int err = -EAGAIN;

	if (!state)
		return pieces ? -ENOMEM : 0;
	memset(state, PIECE_WANTED, pieces);
	for (int i = 0; i < ATTEMPTS && err == -EAGAIN; i++)
		err = collapse_wanted(addr, pieces, pmd, state);
	huge = count_state(state, pieces, PIECE_HUGE);
	free(state);
	if (huge < pieces)
		debug("%zu of %zu pieces at %p are huge; the others stay in base pages: %d", huge,
		      pieces, (void *)addr, err);
	return huge ? (long)huge : err;
}

int collapse_populate(void *addr, size_t len, size_t pmd, bool write)
{
	int advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	size_t pieces = len / pmd;
	long huge;
	int err = populate_first_pages(addr, pieces, pmd, advice);

	if (err)
		return err;
	huge = collapse_all(addr, pieces, pmd);
	err = populate(addr, len, advice);
	return !err && huge == -EINVAL ? -EINVAL : err;
}
