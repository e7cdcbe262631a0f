/* SPDX-License-Identifier: MIT */
/*
 * A page is punched out of the file, which invalidates the host's mapping of it: where a process is
 * attached and has the slot linked, and where none has. The attached process runs all the time, on
 * another processor if there is one.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench-shim.h"
#include "check.h"
#include "child.h"
#include "interrupts.h"
#include "view.h"

#define SIZE (64 * MIB)
#define HALF (SIZE / 2)

struct reader {
	mshare_t region;
	atomic_bool *stop;
};

static void confine_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		check(sched_setaffinity(0, sizeof(set), &set) == 0);
}

static void keep_reading(void *arg)
{
	const struct reader *r = arg;
	const volatile char *at = shim_attach(r->region, HALF);

	confine_to(1);
	while (!atomic_load(r->stop))
		for (size_t off = 0; off < HALF; off += SLOT)
			(void)at[off];
}

static void fill(void *arg)
{
	const struct reader *r = arg;

	touch_pages(shim_attach(r->region, SIZE), SIZE, true);
}

static uint64_t entries(int fd)
{
	return view_query(fd, READ_WRITE).entries;
}

static double punch_one(int fd, size_t off)
{
	double start = now_us();

	check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)PAGE) ==
	      0);
	return now_us() - start;
}

static void measure(int fd, size_t from, unsigned int rounds, bool linked)
{
	double *times = calloc(rounds, sizeof(*times));
	struct mshare_ctl_query before = view_query(fd, READ_WRITE);
	uint64_t interrupts = interrupts_between_cpus();
	struct figure *f = figure_begin("punch");

	check(times);
	for (unsigned int i = 0; i < rounds; i++) {
		check(COMES_TRUE(entries(fd) == HALF / SLOT));
		times[i] = punch_one(fd, from + i * PAGE);
	}
	interrupts = interrupts_between_cpus() - interrupts;
	figure_flag(f, "linked", linked);
	figure_count(f, "punches", rounds);
	figure_number(f, "punch_us", median(times, rounds));
	figure_count(f, "flushes", view_query(fd, READ_WRITE).flushes - before.flushes);
	figure_count(f, "interrupts", interrupts);
	figure_end(f);
	free(times);
}

void bench_punch(unsigned int rounds)
{
	atomic_bool *stop = shared_memory(sizeof(*stop));
	struct reader reader = { shim_region(SIZE), stop };
	int fd = mshare_fd(reader.region);
	pid_t pid;

	pid = child_start(keep_reading, &reader);
	child_run(fill, &reader);
	confine_to(0);
	measure(fd, HALF, rounds, false);
	measure(fd, 0, rounds, true);
	atomic_store(stop, true);
	child_wait(pid);
	check(mshare_close(reader.region) == 0);
}
