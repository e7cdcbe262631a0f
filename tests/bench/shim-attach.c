/* SPDX-License-Identifier: MIT */
/*
 * One attach and detach beside mmap(2) and munmap(2) of the same file: untouched, and with a touch.
 */
#include <sys/mman.h>

#include "bench-shim.h"
#include "check.h"

enum { ROUNDS = 301, WARM_UP = 20 };

struct pair {
	double map[ROUNDS + WARM_UP];
	double unmap[ROUNDS + WARM_UP];
};

static void touch_one(void *at, bool touch)
{
	if (touch)
		(void)*(volatile char *)at;
}

static void time_shim(mshare_t region, size_t size, bool touch, struct pair *times, int round)
{
	double start = now_us();
	void *at = shim_attach(region, size);

	touch_one(at, touch);
	times->map[round] = now_us() - start;
	start = now_us();
	check(mshare_detach(region, at, size) == 0);
	times->unmap[round] = now_us() - start;
}

static void time_mmap(mshare_t region, size_t size, bool touch, struct pair *times, int round)
{
	double start = now_us();
	void *at = plain_map(region, size);

	touch_one(at, touch);
	times->map[round] = now_us() - start;
	start = now_us();
	check(munmap(at, size) == 0);
	times->unmap[round] = now_us() - start;
}

static void show(size_t size, bool touch, struct pair *shim, struct pair *plain)
{
	struct figure *f = figure_begin("attach");
	double shim_map = median(shim->map + WARM_UP, ROUNDS);
	double shim_unmap = median(shim->unmap + WARM_UP, ROUNDS);
	double plain_map_us = median(plain->map + WARM_UP, ROUNDS);
	double plain_unmap = median(plain->unmap + WARM_UP, ROUNDS);

	figure_count(f, "size", size);
	figure_flag(f, "touched", touch);
	figure_number(f, "attach_us", shim_map);
	figure_number(f, "detach_us", shim_unmap);
	figure_number(f, "mmap_us", plain_map_us);
	figure_number(f, "munmap_us", plain_unmap);
	figure_number(f, "ratio", (shim_map + shim_unmap) / (plain_map_us + plain_unmap));
	figure_end(f);
}

static void measure(mshare_t region, size_t size, bool touch)
{
	static struct pair shim;
	static struct pair plain;

	for (int i = 0; i < ROUNDS + WARM_UP; i++) {
		time_shim(region, size, touch, &shim, i);
		time_mmap(region, size, touch, &plain, i);
	}
	show(size, touch, &shim, &plain);
}

void bench_attach(size_t size)
{
	mshare_t region = shim_region(size);
	void *user = shim_attach(region, size); /* the host stays for it */

	measure(region, size, false);
	touch_one(user, true); /* so that the page is there, and the host has it */
	measure(region, size, true);
	check(mshare_detach(region, user, size) == 0);
	check(mshare_close(region) == 0);
}
