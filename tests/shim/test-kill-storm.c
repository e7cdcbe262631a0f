/* SPDX-License-Identifier: MIT */
/*
 * Eight processes attach, fork, verify, drop links, are killed and detach, all at once and at
 * random, while the host's pages are taken away. `test-storm [SECONDS]`.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (16 * MIB)
#define VERIFIED (SIZE - SLOT) /* holes are punched in the last slot */
#define STORMERS 8

static time_t end_of_storm;
static unsigned int seconds = 10;
static _Atomic uint64_t *deeds;

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void look_around(const char *at, unsigned int looks)
{
	while (looks--) {
		size_t page = (size_t)rand() % (VERIFIED / PAGE);

		check_equal(*(const volatile uint64_t *)(const void *)(at + page * PAGE),
			    (page + 1) * 0x9e3779b97f4a7c15u ^ SCENE_SALT);
	}
}

static void look_and_leave(void *arg)
{
	srand((unsigned int)getpid());
	look_around(arg, 40);
}

static void look_for_ever(void *arg)
{
	srand((unsigned int)getpid());
	for (;;)
		look_around(arg, 40);
}

static void drop(char *at)
{
	size_t slot = (size_t)rand() % (SIZE / SLOT);

	check(madvise(at + slot * SLOT, SLOT, rand() % 2 ? MADV_DONTNEED : MADV_COLD) == 0);
}

static void splice_word(char *at)
{
	uint64_t word = 0;
	struct iovec piece = { at, sizeof(word) };
	int ends[2];

	check(pipe(ends) == 0);
	check(vmsplice(ends[1], &piece, 1, 0) == sizeof(word));
	check(read(ends[0], &word, sizeof(word)) == sizeof(word));
	check_equal(word, 0x9e3779b97f4a7c15u ^ SCENE_SALT);
	close(ends[0]);
	close(ends[1]);
}

static void be_killed(char *at)
{
	pid_t pid = child_start(look_for_ever, at);

	usleep((useconds_t)(rand() % 5000));
	child_kill(pid);
}

static void punch(const struct scene *s)
{
	check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, VERIFIED,
			(off_t)((size_t)rand() % (SLOT / PAGE) + 1) * (off_t)PAGE) == 0);
}

static void flush(const struct scene *s)
{
	struct mshare_ctl_flush arg = {
		.size = sizeof(arg),
		.fd = s->fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.off = (size_t)rand() % (SIZE / SLOT) * SLOT,
		.len = SLOT,
	};

	check_equal(device_call(MSHARE_CTL_FLUSH, &arg), 0);
}

static void refused(char *at)
{
	check(mremap(at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, reserve(SIZE)) == MAP_FAILED);
	check(munmap(at, SLOT) == -1 && errno == EINVAL);
	check(mprotect(at, SIZE, READ_ONLY) == -1);
}

static void clear_refs(void)
{
	char what[2] = { (char)('1' + rand() % 4), 0 };

	check_equal(write_text("/proc/self/clear_refs", what), 0);
}

static void one_deed(const struct scene *s, char *at)
{
	switch (rand() % 10) {
	case 0:
		child_run(look_and_leave, at);
		break;
	case 1:
		be_killed(at);
		break;
	case 2:
		splice_word(at);
		break;
	case 3:
		punch(s);
		break;
	case 4:
		flush(s);
		break;
	case 5:
		refused(at);
		break;
	case 6:
		clear_refs();
		break;
	default:
		drop(at);
	}
	look_around(at, 50);
	atomic_fetch_add(deeds, 1);
}

/* munmap of the reservations that refused() left is done by leaving. */
static void attach_and_act(void *arg)
{
	const struct scene *s = arg;
	char *at = attach(s->fd, SIZE, READ_WRITE);

	srand((unsigned int)getpid());
	for (int i = rand() % 10; i >= 0; i--)
		one_deed(s, at);
	if (rand() % 2)
		detach(at, SIZE);
}

static void storm(void *arg)
{
	while (now() < end_of_storm)
		child_run(attach_and_act, arg);
}

static void test_storm(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t pids[STORMERS];

	(void)state;
	deeds = shared_memory(PAGE);
	end_of_storm = now() + (time_t)seconds;
	for (int i = 0; i < STORMERS; i++)
		pids[i] = child_start(storm, &s);
	for (int i = 0; i < STORMERS; i++)
		child_wait(pids[i]);
	print_message("%llu deeds\n", (unsigned long long)atomic_load(deeds));
	check(atomic_load(deeds) >= STORMERS);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(test_storm) };

	if (argc > 1)
		seconds = (unsigned int)strtoul(argv[1], NULL, 10);
	return SHIM_MAIN(cases);
}
