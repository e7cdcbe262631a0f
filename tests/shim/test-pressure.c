/* SPDX-License-Identifier: MIT */
/*
 * Pages of a region in use are swapped out and in, moved by compaction, and looked at by those who
 * merge equal ones: every word stays right.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "verify.h"

#define SIZE (64 * MIB)
#define ROUNDS 3
#define GROUP "/sys/fs/cgroup/shim-pressure"

/* The group, which the host is in, gets less memory than the region has. */
static void give_up_memory(const struct scene *s, const struct servant *host)
{
	uint64_t out = counter("/proc/vmstat", "pswpout"), in = counter("/proc/vmstat", "pswpin");
	struct mshare_ctl_query before = view_query(s->fd, READ_WRITE), after;

	(void)host;
	check_equal(write_text(GROUP "/memory.max", "50331648"), 0);
	for (int i = 0; i < ROUNDS; i++)
		pages_check(s->at, SIZE, SCENE_SALT);
	out = counter("/proc/vmstat", "pswpout") - out;
	in = counter("/proc/vmstat", "pswpin") - in;
	print_message("%llu pages out, %llu in\n", (unsigned long long)out, (unsigned long long)in);
	check(out >= SIZE / PAGE / 4 && in > 0);
	after = view_query(s->fd, READ_WRITE);
	check(after.invalidations > before.invalidations && after.flushes > before.flushes);
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
	under_verification(memory_file(SIZE), SIZE, give_up_memory);
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

/*
 * Memory of which every second page is free, on all nodes: what is allocated next comes to lie in
 * the holes.
 */
#define SPREAD (6 * SIZE)

static char *spread(void)
{
	unsigned long nodes = 3;
	char *at = mmap(NULL, SPREAD, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	check(madvise(at, SPREAD, MADV_NOHUGEPAGE) == 0);
	if (syscall(SYS_mbind, at, SPREAD, MPOL_INTERLEAVE, &nodes, 8 * sizeof(nodes), 0) < 0)
		check_equal(errno, EINVAL); /* one node only */
	memset(at, 1, SPREAD);
	for (size_t off = 0; off < SPREAD; off += 4 * PAGE)
		check(madvise(at + off, 2 * PAGE, MADV_DONTNEED) == 0);
	return at;
}

#define ATTEMPTS 5

static char *between;
static bool region_moved;

static void compact(const struct scene *s, const struct servant *host)
{
	uint64_t moved = counter("/proc/vmstat", "pgmigrate_success");
	struct mshare_ctl_query before = view_query(s->fd, READ_WRITE), after;

	(void)host;
	check(munmap(between, SPREAD) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		check_equal(write_text("/proc/sys/vm/compact_memory", "1"), 0);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
	moved = counter("/proc/vmstat", "pgmigrate_success") - moved;
	after = view_query(s->fd, READ_WRITE);
	print_message("%llu pages moved, %llu invalidations\n", (unsigned long long)moved,
		      (unsigned long long)(after.invalidations - before.invalidations));
	region_moved = moved > 0 && after.flushes > before.flushes;
}

/*
 * Compaction takes what is at the bottom of memory to fill holes at the top, those of a region too
 * that happens to be there, which then stays. What was below is above by now, and another one
 * moves.
 */
static void test_compaction(void **state)
{
	(void)state;
	for (int i = 0; i < ATTEMPTS && !region_moved; i++) {
		between = spread();
		under_verification(memory_file(SIZE), SIZE, compact);
	}
	check(region_moved);
}

/* Shared memory is never merged; to ask for it is no error, and has no effect. */
static void ask_to_merge(const struct mapping *own)
{
	check(madvise(own->at, own->size, MADV_MERGEABLE) == 0);
	check(!vma_has_flag(own->at, "mg"));
}

static void merge(const struct scene *s, const struct servant *host)
{
	uint64_t scans = number_in("/sys/kernel/mm/ksm/full_scans");

	servant_do(host, ask_to_merge);
	check(madvise(s->at, s->size, MADV_MERGEABLE) == 0);
	check(!vma_has_flag(s->at, "mg"));
	check_equal(write_text("/sys/kernel/mm/ksm/pages_to_scan", "10000"), 0);
	check_equal(write_text("/sys/kernel/mm/ksm/sleep_millisecs", "1"), 0);
	check_equal(write_text("/sys/kernel/mm/ksm/run", "1"), 0);
	check(COMES_TRUE(number_in("/sys/kernel/mm/ksm/full_scans") >= scans + 3));
	check_equal(number_in("/sys/kernel/mm/ksm/pages_shared"), 1); /* the control's */
	check_equal(write_text("/sys/kernel/mm/ksm/run", "2"), 0);
}

/* Equal pages in private memory show that the kernel is at it. */
static void test_merging(void **state)
{
	size_t size = 32 * PAGE;
	char *control = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	check(control != MAP_FAILED);
	memset(control, 7, size);
	check(madvise(control, size, MADV_MERGEABLE) == 0);
	check(vma_has_flag(control, "mg"));
	under_verification(memory_file(SIZE), SIZE, merge);
	munmap(control, size);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_merging),
	};

	return SHIM_MAIN(cases);
}
