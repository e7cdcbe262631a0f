/* SPDX-License-Identifier: MIT */
/*
 * Pages of a region in use are swapped out and in, moved by compaction, and made huge and small
 * again by others: every word stays right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define SIZE (64 * MIB)
#define VERIFIERS 3
#define ROUNDS 8
#define GROUP "/sys/fs/cgroup/shim-pressure"

static atomic_bool *stop;

/* Some read, some write what is there already: a lost write shows as well. */
static void verify(void *arg)
{
	const struct scene *s = arg;
	char *at;

	detach(s->at, SIZE); /* the inherited one */
	at = attach(s->fd, SIZE, READ_WRITE);
	while (!atomic_load(stop)) {
		pages_check(at, SIZE, SCENE_SALT);
		pages_fill(at, SIZE / 4, SCENE_SALT);
	}
}

static void under_verification(void (*trouble)(const struct scene *s))
{
	struct scene s = scene_make(SIZE);
	pid_t pids[VERIFIERS];

	stop = shared_memory(PAGE);
	for (int i = 0; i < VERIFIERS; i++)
		pids[i] = child_start(verify, &s);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == VERIFIERS + 1));
	trouble(&s);
	atomic_store(stop, true);
	for (int i = 0; i < VERIFIERS; i++)
		child_wait(pids[i]);
	munmap(stop, PAGE);
	scene_end(&s);
}

static void swap_begin(void)
{
	check(system("modprobe zram && echo 256M >/sys/block/zram0/disksize && "
		     "mkswap /dev/zram0 >/dev/null && swapon /dev/zram0") == 0);
}

static void swap_end(void)
{
	check(system("swapoff /dev/zram0 && echo 1 >/sys/block/zram0/reset") == 0);
}

/* The group, which the host is in, gets less memory than the region has. */
static void give_up_memory(const struct scene *s)
{
	uint64_t out = counter("/proc/vmstat", "pswpout"), in = counter("/proc/vmstat", "pswpin");
	uint64_t invalidations = view_query(s->fd, READ_WRITE).invalidations;

	check_equal(write_text(GROUP "/memory.max", "50331648"), 0);
	for (int i = 0; i < ROUNDS; i++)
		pages_check(s->at, SIZE, SCENE_SALT);
	out = counter("/proc/vmstat", "pswpout") - out;
	in = counter("/proc/vmstat", "pswpin") - in;
	print_message("%llu pages out, %llu in\n", (unsigned long long)out, (unsigned long long)in);
	check(out >= SIZE / PAGE / 4 && in > 0);
	check(view_query(s->fd, READ_WRITE).invalidations > invalidations);
	check_equal(write_text(GROUP "/memory.max", "max"), 0);
	check_equal(counter(GROUP "/memory.events", "oom_kill"), 0);
}

/* In the group from the beginning, so that all the pages are charged to it. */
static void swapped(void *arg)
{
	char pid[16];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
	under_verification(give_up_memory);
}

static void test_swap(void **state)
{
	(void)state;
	swap_begin();
	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	child_run(swapped, NULL);
	check(COMES_TRUE(rmdir(GROUP) == 0));
	swap_end();
}

/* Memory full of holes, so that there is something to compact. */
static void fragment(void)
{
	size_t size = 128 * MIB;
	char *at = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	check(at != MAP_FAILED);
	madvise(at, size, MADV_NOHUGEPAGE);
	for (size_t off = 0; off < size; off += 2 * PAGE)
		check(madvise(at + off, PAGE, MADV_DONTNEED) == 0);
	check_equal(write_text("/proc/sys/vm/compact_memory", "1"), 0);
	munmap(at, size);
}

static void compact(const struct scene *s)
{
	uint64_t moved = counter("/proc/vmstat", "pgmigrate_success");

	for (int i = 0; i < ROUNDS; i++) {
		fragment();
		pages_check(s->at, SIZE, SCENE_SALT);
	}
	moved = counter("/proc/vmstat", "pgmigrate_success") - moved;
	print_message("%llu pages moved\n", (unsigned long long)moved);
	check(moved > 0);
}

static void test_compaction(void **state)
{
	(void)state;
	under_verification(compact);
}

/*
 * Collapsing frees the host's tables; paging out a part makes the page small again, and new tables. */
static void collapse(const struct scene *s)
{
	char *outside = map_plain(s->fd, SIZE, READ_WRITE);
	unsigned int collapsed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pages_check(outside, SIZE, SCENE_SALT); /* what is not mapped is not collapsed */
		for (size_t off = 0; off < SIZE; off += SLOT)
			collapsed += madvise(outside + off, SLOT, MADV_COLLAPSE) == 0;
		pages_check(s->at, SIZE, SCENE_SALT);
		for (size_t off = 0; off < SIZE; off += SLOT)
			madvise(outside + off, PAGE, MADV_PAGEOUT); /* a part: it is split */
	}
	print_message("%u collapsed\n", collapsed);
	check(collapsed >= SIZE / SLOT);
	munmap(outside, SIZE);
}

static void test_collapse_by_an_outsider(void **state)
{
	(void)state;
	swap_begin();
	under_verification(collapse);
	swap_end();
}

/* Huge pages of the host are linked as they are; a hole in one splits it everywhere. */
static void test_hole_in_a_huge_page(void **state)
{
	struct scene s = scene_make(SIZE);
	char *outside = map_plain(s.fd, SIZE, READ_WRITE);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		pages_check(outside, SIZE, SCENE_SALT);
		for (size_t off = 0; off < SIZE; off += SLOT)
			check(madvise(outside + off, SLOT, MADV_COLLAPSE) == 0);
		pages_check(s.at, SIZE, SCENE_SALT);
		for (size_t off = 5 * PAGE; off < SIZE; off += SLOT) {
			check(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)off, PAGE) == 0);
			check_equal(*(uint64_t *)(s.at + off), 0);
		}
		pages_fill(s.at, SIZE, SCENE_SALT);
		pages_check(outside, SIZE, SCENE_SALT);
	}
	munmap(outside, SIZE);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_collapse_by_an_outsider),
		cmocka_unit_test(test_hole_in_a_huge_page),
	};

	return SHIM_MAIN(cases);
}
