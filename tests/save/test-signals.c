/* SPDX-License-Identifier: MIT */
/* Signals all the time, with a handler that makes system calls return EINTR: no call does. */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"

#define REGION (5 * CHUNK)
#define SIGNALS 200
#define ROUNDS_AT_MOST 10000

static volatile sig_atomic_t arrived;

static void count_signal(int signal)
{
	(void)signal;
	arrived = arrived + 1;
}

static void rain(long microseconds)
{
	const struct itimerval interval = { { 0, microseconds }, { 0, microseconds } };

	check(setitimer(ITIMER_REAL, &interval, NULL) == 0);
}

static void save_and_load(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	unsigned char *bytes, *back;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	mshare_t a = region_with(REGION, SHAPE_DENSE, 2, &back);

	check(sigaction(SIGALRM, &action, NULL) == 0);
	arrived = 0;
	rain(1000);
	for (int i = 0; arrived < SIGNALS && i < ROUNDS_AT_MOST; i++) {
		check(mshare_save(r, AT_FDCWD, album("image"), NULL) == 0);
		check(mshare_load(a, AT_FDCWD, album("image"), NULL) == 0);
	}
	rain(0);
	check(arrived >= SIGNALS);
	shape_check(back, region_size(a), SHAPE_SPARSE, 1);
	region_drop(r, bytes);
	region_drop(a, back);
}

static void with_ring(void *unused)
{
	(void)unused;
	save_and_load();
}

static void without_ring(void *unused)
{
	(void)unused;
	deny_io_uring();
	save_and_load();
}

static void in_the_rain(void **state)
{
	(void)state;
	album_dir();
	child_run(with_ring, NULL);
	child_run(without_ring, NULL);
}

int main(void)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(in_the_rain) };

	return RUN_CASES(cases);
}
