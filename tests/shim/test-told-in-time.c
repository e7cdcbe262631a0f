/* SPDX-License-Identifier: MIT */
/*
 * While the notifiers of an attached process are told, one after the other. When it drops its own
 * entries no page of the region may go meanwhile, although nothing is linked any more; and who is
 * registered meanwhile must not hear half of it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "scene.h"
#include "watch.h"

#define SIZE (8 * MIB)
#define OFFSET (SLOT + 5 * PAGE) /* not where the link begins: that is told first */

static void *discard(void *at)
{
	check(madvise(at, SIZE, MADV_DONTNEED) == 0);
	return NULL;
}

static void *unmap(void *at)
{
	check(munmap(at, SIZE) == 0);
	return NULL;
}

struct later {
	int fd;
	struct signpost go;
};

static void punch_later(void *arg)
{
	struct later *later = arg;

	signpost_await(&later->go);
	check(fallocate(later->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, OFFSET, PAGE) == 0);
}

/* The other process is forked before: who is in the call keeps others from forking. */
static void told_in_time(void *(*drop)(void *))
{
	struct scene s = scene_make(SIZE);
	struct later later = { .fd = s.fd };
	char *at = attach(s.fd, SIZE, READ_WRITE);
	int watch = watch_open();
	struct watch_counts counts;
	pthread_t thread;
	pid_t pid;

	signpost_make(&later.go);
	pid = child_start(punch_later, &later);
	watch_take(watch, at + OFFSET);
	watch_delay(500, 0);
	check(pthread_create(&thread, NULL, drop, at) == 0);
	pause_ms(100); /* so that punching comes second: where it is first this always passes */
	signpost_raise(&later.go);
	child_wait(pid);
	counts = watch_read(watch);
	check(!counts.mapped && !counts.interval_mapped);
	check(pthread_join(thread, NULL) == 0);
	watch_delay(0, 0);
	signpost_close(&later.go);
	if (drop != unmap)
		detach(at, SIZE);
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void test_attached_discards(void **state)
{
	(void)state;
	told_in_time(discard);
}

static void test_attached_unmaps(void **state)
{
	(void)state;
	told_in_time(unmap);
}

/* What KVM does when a virtual machine is made: an end without a start makes its count wrong. */
static void test_registered_in_between(void **state)
{
	struct scene s = scene_make(SIZE);
	struct later later = { .fd = s.fd };
	int watch = watch_open(), second;
	struct watch_counts counts;
	pid_t pid;

	(void)state;
	signpost_make(&later.go);
	pid = child_start(punch_later, &later);
	watch_take(watch, s.at + OFFSET);
	watch_delay(0, 500);
	signpost_raise(&later.go);
	pause_ms(200);
	second = watch_open_again();
	child_wait(pid);
	counts = watch_read(second);
	check_equal(counts.starts, counts.ends);
	watch_delay(0, 0);
	signpost_close(&later.go);
	close(second);
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_attached_discards),
		cmocka_unit_test(test_attached_unmaps),
		cmocka_unit_test(test_registered_in_between),
	};

	return SHIM_MAIN(cases);
}
