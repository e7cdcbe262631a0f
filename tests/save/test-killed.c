/* SPDX-License-Identifier: MIT */
/*
 * Savers and loaders that are killed at any moment: the file is always a whole one, of a single
 * version of the region, and what a loader left half done is repaired by loading again.
 * The number of rounds is the argument; make check-long, which repeats the test 20 times, has 500.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "object.h"

#define REGION (4 * CHUNK)

static long rounds = 25;

struct actor {
	mshare_t region;
	unsigned char *bytes;
	uint64_t version; /* of the first file that it makes */
	struct signpost begun;
};

/* A new version for each file; the region changes only between two files. */
static void save_for_ever(void *arg)
{
	struct actor *actor = arg;

	signpost_raise(&actor->begun);
	for (uint64_t version = actor->version;; version++) {
		shape_fill(actor->bytes, REGION, SHAPE_SPARSE, version);
		album_save(actor->region, "image");
	}
}

static void load_for_ever(void *arg)
{
	struct actor *actor = arg;

	signpost_raise(&actor->begun);
	for (;;)
		album_load(actor->region, "image");
}

/* Up to the time that two files take, or more on a slow machine: any moment will do. */
static void kill_sometime(child_body *body, struct actor *actor)
{
	pid_t pid;

	signpost_make(&actor->begun);
	pid = child_start(body, actor);
	signpost_await(&actor->begun);
	usleep((useconds_t)(random() % 40000));
	child_kill(pid);
	signpost_close(&actor->begun);
}

/* bytes_fill() begins each page with a number that depends on the version alone. */
static uint64_t version_of(const unsigned char *bytes)
{
	static unsigned char first[8];
	uint64_t number, of_zero;

	bytes_fill(first, sizeof(first), 0);
	memcpy(&of_zero, first, sizeof(of_zero));
	memcpy(&number, bytes, sizeof(number));
	return number ^ of_zero;
}

static void savers(void **state)
{
	unsigned char *bytes, *back;
	struct actor actor = { .region = region_with(REGION, SHAPE_NOTHING, 0, &bytes) };
	mshare_t r = region_with(REGION, SHAPE_NOTHING, 0, &back);
	uint64_t seen = 1, versions = 0;

	(void)state;
	actor.bytes = bytes;
	shape_fill(bytes, REGION, SHAPE_SPARSE, seen);
	album_save(actor.region, "image");
	for (long i = 0; i < rounds; i++) {
		actor.version = seen + 1;
		kill_sometime(save_for_ever, &actor);
		album_load(r, "image");
		versions += version_of(back) != seen;
		check(version_of(back) >= seen);
		seen = version_of(back);
		shape_check(back, REGION, SHAPE_SPARSE, seen);
	}
	printf("%ld savers killed, %llu of them after their first file\n", rounds,
	       (unsigned long long)versions);
	region_drop(actor.region, bytes);
	region_drop(r, back);
}

static void loaders(void **state)
{
	unsigned char *bytes, *back;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	struct actor actor = { .region = region_with(REGION, SHAPE_DENSE, 2, &back) };

	(void)state;
	album_save(r, "image");
	for (long i = 0; i < rounds; i++) {
		shape_fill(back, REGION, SHAPE_DENSE, 2);
		kill_sometime(load_for_ever, &actor);
		album_load(actor.region, "image");
		shape_check(back, REGION, SHAPE_SPARSE, 1);
	}
	region_drop(r, bytes);
	region_drop(actor.region, back);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(savers), cmocka_unit_test(loaders) };

	rounds = argc > 1 ? atol(argv[1]) : rounds;
	srandom((unsigned int)getpid());
	return rounds > 0 ? RUN_CASES(cases) : 2;
}
