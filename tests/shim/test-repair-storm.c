/* SPDX-License-Identifier: MIT */
/*
 * Flushes of all slots, while threads of an attached process fault them in again and others keep
 * its address space locked. On Linux 6.1 that makes blank tables, which are taken away again at
 * once, but never while somebody walks them: `test-shim-repair-storm [SECONDS]`.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (512 * MIB)
#define SLOTS (SIZE / SLOT)
#define SALT 5
#define THREADS 4

static time_t seconds = 10;
static int object;
static char *at;

/* Each slot has one page with something in it: this is about tables, not about memory. */
static uint64_t *word(size_t slot)
{
	return (uint64_t *)(void *)(at + slot * SLOT);
}

static void check_slot(size_t slot)
{
	check_equal(*(volatile uint64_t *)word(slot), slot + SALT);
}

/* Odd ones fault, even ones walk the tables under the mmap_lock. */
static void *disturb(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number;
	unsigned char resident;

	for (;;) {
		size_t slot = (size_t)rand_r(&seed) % SLOTS;

		if ((uintptr_t)number % 2)
			check_slot(slot);
		else
			check_equal(mincore(word(slot), PAGE, &resident), 0);
	}
	return NULL;
}

static void be_attached(void *arg)
{
	pthread_t thread;

	(void)arg;
	at = attach(object, SIZE, READ_WRITE);
	for (uintptr_t i = 1; i < THREADS; i++)
		check_equal(pthread_create(&thread, NULL, disturb, (void *)i), 0);
	disturb(NULL);
}

/* Once somebody is linked again, and has had a little time to link more. */
static void flush_all(void)
{
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = object,
		.prot = READ_WRITE,
		.len = SIZE,
	};

	while (!view_query(object, READ_WRITE).entries)
		usleep(100);
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
}

static void test_flushes_and_faults(void **state)
{
	struct mshare_ctl_query query;
	unsigned long flushes = 0;
	struct host host;
	time_t end;
	pid_t pid;

	(void)state;
	object = memory_file(SIZE);
	host = host_start(object, SIZE, READ_WRITE);
	at = attach(object, SIZE, READ_WRITE);
	for (size_t slot = 0; slot < SLOTS; slot++)
		*word(slot) = slot + SALT;
	pid = child_start(be_attached, NULL);
	for (end = time(NULL) + seconds; time(NULL) < end; flushes++)
		flush_all();
	query = view_query(object, READ_WRITE);
	print_message("%lu flushes, %llu met linked slots, %llu faults\n", flushes,
		      (unsigned long long)query.invalidations, (unsigned long long)query.faults);
	check(flushes > 0 && query.invalidations > flushes / 2);
	child_kill_running(pid);
	for (size_t slot = 0; slot < SLOTS; slot++)
		check_slot(slot);
	detach(at, SIZE);
	host_leaves(&host);
	close(object);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(test_flushes_and_faults) };

	if (argc > 1)
		seconds = atoi(argv[1]);
	return SHIM_MAIN(cases);
}
