/* SPDX-License-Identifier: MIT */
/*
 * Everything at once: processes that verify, fork, attach and detach, advise, punch holes and pass
 * pages to a pipe, over one set of tables. The contents of the first half are verified, the second
 * is emptied all the time while they touch it. Seconds as the first argument.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "object.h"
#include "view.h"

#define SIZE (128 * MIB)
#define SALT 11

static int seconds = 5;
static int object;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t any_slot(unsigned int *seed)
{
	return (size_t)rand_r(seed) % (SIZE / SLOT) * SLOT;
}

static void touch_any(char *at, unsigned int *seed)
{
	*(volatile char *)(at + any_slot(seed));
	*(volatile char *)(at + SIZE + any_slot(seed));
}

static void verify(char *at, unsigned int *seed)
{
	(void)seed;
	pages_check(at, SIZE, SALT);
}

static void fork_deep(char *at, unsigned int *seed)
{
	for (int generation = 0; generation < 5; generation++) {
		pid_t child = fork();
		int status;

		check(child >= 0);
		if (child > 0) {
			check(waitpid(child, &status, 0) == child && status == 0);
			if (generation)
				_exit(0);
			return;
		}
		pages_check(at, SLOT, SALT);
		touch_any(at, seed);
	}
	_exit(0);
}

static void advise(char *at, unsigned int *seed)
{
	static const int advice[] = { MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT };

	check(madvise(at + any_slot(seed), SLOT, advice[rand_r(seed) % 3]) == 0);
	touch_any(at, seed);
}

static void attach_again(char *at, unsigned int *seed)
{
	char *mine = attach(object, 2 * SIZE, READ_WRITE);

	(void)at;
	touch_any(mine, seed);
	detach(mine, 2 * SIZE);
}

static void splice_out(char *at, unsigned int *seed)
{
	struct iovec vec = { at + any_slot(seed), 8 };
	char got[8];
	int ends[2];

	check(pipe(ends) == 0);
	check(vmsplice(ends[1], &vec, 1, 0) == 8 && read(ends[0], got, 8) == 8);
	check(memcmp(got, vec.iov_base, 8) == 0);
	close(ends[0]);
	close(ends[1]);
}

/* A page that is there is taken away from everybody. */
static void punch(char *at, unsigned int *seed)
{
	size_t off = SIZE + any_slot(seed);

	at[off] = 1;
	check(fallocate(object, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, PAGE) == 0);
}

static void repeat(void (*work)(char *, unsigned int *), unsigned int seed)
{
	double end = now() + seconds;
	char *at = attach(object, 2 * SIZE, READ_WRITE);
	unsigned long rounds = 0;

	while (now() < end) {
		work(at, &seed);
		rounds++;
	}
	check(rounds > 0);
	detach(at, 2 * SIZE);
	_exit(0);
}

static void test_storm(void **state)
{
	static void (*const works[])(char *, unsigned int *) = {
		verify, verify, fork_deep, advise, attach_again, splice_out, punch, attach_again,
	};
	const size_t count = sizeof(works) / sizeof(works[0]);
	pid_t children[sizeof(works) / sizeof(works[0])];
	struct mshare_ctl_query before, after;
	struct host host;
	char *at;

	(void)state;
	object = memory_file(2 * SIZE);
	host = host_start(object, 2 * SIZE, READ_WRITE);
	at = attach(object, 2 * SIZE, READ_WRITE);
	pages_fill(at, SIZE, SALT);
	before = view_query(object, READ_WRITE);
	for (size_t i = 0; i < count; i++) {
		children[i] = fork();
		check(children[i] >= 0);
		if (children[i] == 0)
			repeat(works[i], (unsigned int)i + 1);
	}
	for (size_t i = 0; i < count; i++) {
		int status;

		check(waitpid(children[i], &status, 0) == children[i]);
		check(status == 0);
	}
	pages_check(at, SIZE, SALT);
	after = view_query(object, READ_WRITE);
	check(after.invalidations > before.invalidations && after.flushes > before.flushes);
	detach(at, 2 * SIZE);
	host_leaves(&host);
	close(object);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_storm) };

	if (argc > 1)
		seconds = atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
