/* SPDX-License-Identifier: MIT */
/*
 * Savers and loaders that are killed at any moment, and who is attached or hosts meanwhile: the
 * file is always a whole one, of a single version of the region; what a loader left half done has
 * nothing foreign in it, and is repaired by loading again; a region that `mshare load` makes is
 * whole, or does not have its name. `test-killed [ROUNDS [BACKEND]]`; the suite save-long has 500
 * rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "object.h"
#include "storm.h"

#define REGION (4 * CHUNK)

static long rounds = 25;

/* A new version for each file; the region changes only between two files. */
static void save_for_ever(void *arg)
{
	struct actor *actor = arg;
	unsigned char *bytes = region_attach_all(actor->region);

	signpost_raise(&actor->begun);
	for (uint64_t version = actor->version;; version++) {
		shape_fill(bytes, REGION, SHAPE_SPARSE, version);
		album_save(actor->region, "image");
	}
}

static void load_for_ever(void *arg)
{
	struct actor *actor = arg;

	region_attach_all(actor->region);
	signpost_raise(&actor->begun);
	for (;;)
		album_load(actor->region, "image");
}

static void save_once(const struct actor *actor)
{
	shape_fill(actor->bytes, REGION, SHAPE_SPARSE, actor->version);
	album_save(actor->region, "image");
}

static void load_once(const struct actor *actor)
{
	album_load(actor->region, "image");
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

struct found {
	mshare_t region;
	const unsigned char *bytes;
	unsigned int whole, refused;
};

/* What a saver has left under another name is not taken for what it is not. */
static void judge_left_behind(const char *path, void *arg)
{
	struct found *found = arg;

	if (mshare_load(found->region, AT_FDCWD, path, NULL)) {
		check_equal(errno, EBADMSG);
		found->refused++;
		return;
	}
	shape_check(found->bytes, REGION, SHAPE_SPARSE, version_of(found->bytes));
	found->whole++;
}

static void savers(void **state)
{
	unsigned char *bytes, *back;
	struct actor actor = { .region = region_with(REGION, SHAPE_NOTHING, 0, &bytes) };
	struct found found = { .region = region_with(REGION, SHAPE_NOTHING, 0, &back) };
	uint64_t seen = 1;
	unsigned int span;
	long renewed = 0;

	(void)state;
	actor.bytes = bytes;
	actor.version = seen;
	span = storm_span(save_once, &actor);
	for (long i = 0; i < rounds; i++) {
		actor.version = seen + 1;
		storm_once(save_for_ever, &actor, span);
		album_load(found.region, "image");
		renewed += version_of(back) != seen;
		check(version_of(back) >= seen);
		seen = version_of(back);
		shape_check(back, REGION, SHAPE_SPARSE, seen);
	}
	found.bytes = back;
	album_each(".mshare-save-", judge_left_behind, &found);
	printf("%ld savers killed within %u us, %ld of them after a file; left behind: %u whole, %u "
	       "torn files\n",
	       rounds, span, renewed, found.whole, found.refused);
	region_drop(actor.region, bytes);
	region_drop(found.region, back);
}

/* Contents to compare with. */
static unsigned char *contents(enum shape shape, uint64_t salt)
{
	unsigned char *bytes = calloc(1, REGION);

	check(bytes);
	shape_fill(bytes, REGION, shape, salt);
	return bytes;
}

/* Each byte is the old or the new one, or that of a hole. */
static void check_mixture(const unsigned char *bytes, const unsigned char *old,
			  const unsigned char *new)
{
	for (size_t at = 0; at < REGION; at += PAGE) {
		if (memcmp(bytes + at, old + at, PAGE) == 0 ||
		    memcmp(bytes + at, new + at, PAGE) == 0)
			continue;
		for (size_t i = at; i < at + PAGE; i++)
			check(bytes[i] == old[i] || bytes[i] == new[i] || bytes[i] == 0);
	}
}

static void loaders(void **state)
{
	unsigned char *bytes, *back;
	unsigned char *old = contents(SHAPE_DENSE, 2), *new = contents(SHAPE_SPARSE, 1);
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	struct actor actor = { .region = region_with(REGION, SHAPE_DENSE, 2, &back) };
	long as_before = 0, complete = 0;
	unsigned int span;

	(void)state;
	album_save(r, "image");
	span = storm_span(load_once, &actor);
	for (long i = 0; i < rounds; i++) {
		if (random() % 2) { /* without contents it is filled in one reading */
			check(mshare_flush(actor.region, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
			memset(old, 0, REGION);
		} else {
			shape_fill(back, REGION, SHAPE_DENSE, 2);
			shape_fill(old, REGION, SHAPE_DENSE, 2);
		}
		storm_once(load_for_ever, &actor, span);
		check_mixture(back, old, new);
		as_before += memcmp(back, old, REGION) == 0;
		complete += memcmp(back, new, REGION) == 0;
		album_load(actor.region, "image");
		shape_check(back, REGION, SHAPE_SPARSE, 1);
	}
	printf("%ld loaders killed within %u us: %ld regions as before, %ld complete\n", rounds,
	       span, as_before, complete);
	free(old);
	free(new);
	region_drop(r, bytes);
	region_drop(actor.region, back);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(savers), cmocka_unit_test(loaders) };

	rounds = argc > 1 ? atol(argv[1]) : rounds;
	if (argc > 2)
		setenv("MSHARE_BACKEND", argv[2], 1);
	srandom((unsigned int)getpid());
	return rounds > 0 ? RUN_CASES(cases) : 2;
}
