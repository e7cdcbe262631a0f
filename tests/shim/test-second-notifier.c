/* SPDX-License-Identifier: MIT */
/*
 * A second user of MMU notifiers in an attached process, such as KVM, hears of what happens to the
 * host's pages before the call that does it returns: else a virtual machine, or a device, would keep
 * a page that is somebody else's by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define ROUNDS 60

struct counts {
	uint64_t mapped, starts, ends;
};

static int watch_open(void)
{
	int fd;

	check(system("modprobe second-notifier") == 0);
	fd = open("/dev/second-notifier", O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	return fd;
}

static void watch_close(int watch)
{
	close(watch);
	check(system("rmmod second_notifier") == 0);
}

static struct counts watch_counts(int watch)
{
	struct counts counts;

	check(read(watch, &counts, sizeof(counts)) == sizeof(counts));
	return counts;
}

static void take(int watch, const char *at)
{
	uint64_t address = (uintptr_t)at;
	ssize_t n;

	do
		n = write(watch, &address, sizeof(address));
	while (n < 0 && errno == EAGAIN);
	check_equal(n, sizeof(address));
	check(watch_counts(watch).mapped);
}

/* Whatever happened, it is over, and the page is known to be stale. */
static void check_told(int watch, const struct counts *before)
{
	struct counts now = watch_counts(watch);

	check(!now.mapped);
	check(now.starts > before->starts);
	check_equal(now.starts, now.ends);
}

struct place {
	const struct scene *scene;
	size_t off;
};

static void punch(void *arg)
{
	const struct place *p = arg;

	check(fallocate(p->scene->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)p->off,
			PAGE) == 0);
}

static void truncate_there(void *arg)
{
	const struct place *p = arg;

	check(ftruncate(p->scene->fd, (off_t)p->off) == 0);
	check(ftruncate(p->scene->fd, SIZE) == 0);
}

static void flush(void *arg)
{
	const struct place *p = arg;
	struct mshare_ctl_flush call = {
		.size = sizeof(call),
		.fd = p->scene->fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.off = p->off & ~(SLOT - 1),
		.len = SLOT,
	};

	check_equal(device_call(MSHARE_CTL_FLUSH, &call), 0);
}

static void told_of(child_body *change)
{
	struct scene s = scene_make(SIZE);
	int watch = watch_open();

	for (size_t i = 0; i < ROUNDS; i++) {
		struct place place = { &s, i * 31 % (SIZE / PAGE) * PAGE };
		struct counts before;

		take(watch, s.at + place.off);
		before = watch_counts(watch);
		child_run(change, &place); /* by another process */
		check_told(watch, &before);
	}
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void test_punched(void **state)
{
	(void)state;
	told_of(punch);
}

static void test_truncated(void **state)
{
	(void)state;
	told_of(truncate_there);
}

static void test_flushed(void **state)
{
	(void)state;
	told_of(flush);
}

/* What concerns other pages, of slots that are not over the address, is not told. */
static void test_other_slots_are_silent(void **state)
{
	struct scene s = scene_make(SIZE);
	struct place place = { &s, 3 * SLOT };
	int watch = watch_open();
	struct counts before;

	(void)state;
	take(watch, s.at);
	before = watch_counts(watch);
	punch(&place);
	check(watch_counts(watch).mapped);
	check_equal(watch_counts(watch).starts, before.starts);
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void keep_punching(void *arg)
{
	struct place place = { arg, 0 };

	for (;;) {
		punch(&place);
		place.off = (place.off + 7 * PAGE) % SIZE;
	}
}

/* Taken while two others punch: every section that was begun is also ended. */
static void test_race(void **state)
{
	struct scene s = scene_make(SIZE);
	int watch = watch_open();
	pid_t pids[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(keep_punching, &s);
	for (size_t i = 0; i < 20 * ROUNDS; i++) {
		uint64_t address = (uintptr_t)s.at + i * 13 % (SIZE / PAGE) * PAGE;

		check(write(watch, &address, sizeof(address)) == sizeof(address) ||
		      errno == EAGAIN);
	}
	for (int i = 0; i < 2; i++)
		child_kill(pids[i]);
	check_equal(watch_counts(watch).starts, watch_counts(watch).ends);
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_punched), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flushed), cmocka_unit_test(test_other_slots_are_silent),
		cmocka_unit_test(test_race),
	};

	return SHIM_MAIN(cases);
}
