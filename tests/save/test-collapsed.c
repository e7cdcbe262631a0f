/* SPDX-License-Identifier: MIT */
/*
 * Huge pages are made of a region while it is saved and loaded: nothing is lost, and nothing of the
 * old contents stays. Before Linux 6.4 SEEK_DATA passes over what is just being made huge.
 * `test-collapsed [ROUNDS]`.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "object.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define REGION (4 * CHUNK)

static long rounds = 40;

struct collapser {
	unsigned char *bytes;
	int fd;
	atomic_long *made;
	struct signpost begun;
	pid_t pid;
};

/* Its first page goes and comes back, which takes a huge page apart, and all are made one again. */
static void collapse_for_ever(void *arg)
{
	struct collapser *c = arg;

	signpost_raise(&c->begun);
	for (size_t at = 0;; at = (at + CHUNK) % REGION) {
		check(fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
				(off_t)PAGE) == 0);
		memset(c->bytes + at, 1, PAGE);
		*c->made += madvise(c->bytes + at, CHUNK, MADV_COLLAPSE) == 0;
	}
}

static void collapser_start(struct collapser *c, mshare_t r, unsigned char *bytes)
{
	c->bytes = bytes;
	c->fd = mshare_fd(r);
	c->made = mmap(NULL, sizeof(*c->made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	check(c->made != MAP_FAILED);
	signpost_make(&c->begun);
	c->pid = child_start(collapse_for_ever, c);
	signpost_await(&c->begun);
}

/* Who has made none has not tested anything. */
static void collapser_end(struct collapser *c)
{
	child_kill_running(c->pid);
	printf("%ld huge pages made meanwhile\n", *c->made);
	check(*c->made > 0);
	munmap(c->made, sizeof(*c->made));
	signpost_close(&c->begun);
}

/* But for the first page of each chunk, which the collapser changes. */
static void check_rest(const unsigned char *bytes, enum shape shape, uint64_t salt)
{
	unsigned char *expected = calloc(1, REGION);

	check(expected);
	shape_fill(expected, REGION, shape, salt);
	for (size_t at = 0; at < REGION; at += PAGE)
		check(at % CHUNK == 0 || memcmp(bytes + at, expected + at, PAGE) == 0);
	free(expected);
}

static void saved(void **state)
{
	unsigned char *bytes, *back;
	mshare_t r = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	mshare_t other = region_with(REGION, SHAPE_NOTHING, 0, &back);
	struct collapser c;

	(void)state;
	collapser_start(&c, r, bytes);
	for (long i = 0; i < rounds; i++) {
		album_save(r, "image");
		album_load(other, "image");
		check_rest(back, SHAPE_DENSE, 1);
	}
	collapser_end(&c);
	region_drop(r, bytes);
	region_drop(other, back);
}

/* Over other contents, of which nothing stays. */
static void loaded(void **state)
{
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	struct collapser c;

	(void)state;
	album_save(r, "image");
	shape_fill(bytes, REGION, SHAPE_DENSE, 2);
	collapser_start(&c, r, bytes);
	for (long i = 0; i < rounds; i++) {
		album_load(r, "image");
		check_rest(bytes, SHAPE_SPARSE, 1);
		shape_fill(bytes, REGION, SHAPE_DENSE, 2);
	}
	collapser_end(&c);
	region_drop(r, bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(saved), cmocka_unit_test(loaded) };

	rounds = argc > 1 ? atol(argv[1]) : rounds;
	return rounds > 0 ? RUN_CASES(cases) : 2;
}
