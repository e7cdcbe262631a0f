/* SPDX-License-Identifier: MIT */
/* Signals all the time, with a handler that makes system calls return EINTR: no call does. */
#include "album.h"
#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"
#include "rain.h"

#define REGION (5 * CHUNK)
#define SIGNALS 200
#define ROUNDS_AT_MOST 10000

struct regions {
	mshare_t from, to;
};

static void save_and_load(void *arg)
{
	const struct regions *regions = arg;

	album_save(regions->from, "image");
	album_load(regions->to, "image");
}

static void all_the_time(void)
{
	unsigned char *bytes, *back;
	struct regions regions = {
		.from = region_with(REGION, SHAPE_SPARSE, 1, &bytes),
		.to = region_with(REGION, SHAPE_DENSE, 2, &back),
	};

	in_the_rain(save_and_load, &regions, SIGNALS, ROUNDS_AT_MOST);
	shape_check(back, region_size(regions.to), SHAPE_SPARSE, 1);
	region_drop(regions.from, bytes);
	region_drop(regions.to, back);
}

static void with_ring(void *unused)
{
	(void)unused;
	all_the_time();
}

static void without_ring(void *unused)
{
	(void)unused;
	deny_io_uring();
	all_the_time();
}

static void no_call_ends_in_eintr(void **state)
{
	(void)state;
	album_dir();
	child_run(with_ring, NULL);
	child_run(without_ring, NULL);
}

int main(void)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(no_call_ends_in_eintr) };

	return RUN_CASES(cases);
}
