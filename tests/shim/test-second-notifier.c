/* SPDX-License-Identifier: MIT */
/*
 * A second user of MMU notifiers in an attached process, such as KVM, hears of what happens to the
 * host's pages before the call that does it returns: else a virtual machine, or a device, would
 * keep a page that is somebody else's by then. `test-second-notifier [ROUNDS]`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verify.h"
#include "watch.h"

#define SIZE (8 * MIB)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static struct servant servant;
static unsigned int rounds = 12;
static size_t *taken; /* offset of the page, for the host */

/* Whatever happened, it is over, and the page is known to be stale. */
static void check_told(int watch, const struct watch_counts *before)
{
	struct watch_counts now = watch_read(watch);

	check(!now.mapped && !now.interval_mapped);
	check(now.starts > before->starts && now.intervals > before->intervals);
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

static void look_at_all(const struct mapping *own)
{
	for (size_t off = 0; off < own->size; off += PAGE)
		(void)*(volatile char *)(own->at + off);
}

static void told_of(child_body *change)
{
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &servant);
	int watch = watch_open();

	for (size_t i = 0; i < rounds; i++) {
		struct place place = { &s, i * 31 % (SIZE / PAGE) * PAGE };
		struct watch_counts before;

		watch_take(watch, s.at + place.off);
		*taken = place.off;
		before = watch_read(watch);
		child_run(change, &place); /* by another process */
		check_told(watch, &before);
		servant_do(&servant, deed_restore);
	}
	watch_close(watch);
	servant_dismiss(&servant);
	pages_fill(s.at, SIZE, SCENE_SALT);
	s.huge = true; /* perhaps */
	scene_end(&s);
}

/* What the host does to its own mapping. */
static void protect(const struct mapping *own)
{
	check(mprotect(own->at, own->size, READ_ONLY) == 0);
}

static void drop_pages(const struct mapping *own)
{
	check(madvise(own->at, own->size, MADV_DONTNEED) == 0);
}

/* It may have to reach the kernel's lists first, and pages are written out in their own time. */
static void page_out(const struct mapping *own)
{
	unsigned char resident;
	int patience = 300;

	do {
		check(madvise(own->at, own->size, MADV_PAGEOUT) == 0);
		check(mincore(own->at + *taken, PAGE, &resident) == 0);
		if (resident & 1)
			check_equal(write_text("/proc/sys/vm/compact_memory", "1"), 0);
	} while ((resident & 1) && patience-- > 0);
	check(!(resident & 1));
}

static void move_away(const struct mapping *own)
{
	check(mremap(own->at, own->size, own->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     reserve(own->size)) != MAP_FAILED);
}

#define HOST_DOES(deed)                                                                            \
	static void host_##deed(void *arg)                                                         \
	{                                                                                          \
		(void)arg;                                                                         \
		servant_do(&servant, deed);                                                        \
	}                                                                                          \
	static void test_##deed(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		told_of(host_##deed);                                                              \
	}
HOST_DOES(deed_unmap)
HOST_DOES(protect)
HOST_DOES(drop_pages)
HOST_DOES(move_away)
HOST_DOES(page_out)

/* With something to page out to. */
static void test_paged_out(void **state)
{
	swap_begin();
	test_page_out(state);
	swap_end();
}

static void collapse(void *arg)
{
	const struct place *p = arg;
	char *outside = map_plain(p->scene->fd, SIZE, READ_WRITE);
	char *slot = outside + (p->off & ~(SLOT - 1));

	memset(slot, 1, SLOT); /* what is not mapped is not collapsed */
	check(madvise(slot, SLOT, MADV_COLLAPSE) == 0);
	/* So that there is something to collapse the next time. */
	check(fallocate(p->scene->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)p->off,
			PAGE) == 0);
}

static void test_collapsed(void **state)
{
	(void)state;
	told_of(collapse);
}

/* To the node where it is not. */
static void migrate(void *arg)
{
	const struct place *p = arg;
	void *page = servant.at + p->off;
	pid_t host = p->scene->host.pid;
	int node, target;

	servant_do(&servant, look_at_all);
	check(syscall(SYS_move_pages, host, 1, &page, NULL, &node, 0) == 0 && node >= 0);
	target = 1 - node;
	check(syscall(SYS_move_pages, host, 1, &page, &target, &node, MPOL_MF_MOVE) == 0);
	check_equal(node, target);
}

static void test_migrated(void **state)
{
	(void)state;
	if (!has_two_nodes())
		skip();
	told_of(migrate);
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
	struct watch_counts before;

	(void)state;
	watch_take(watch, s.at);
	before = watch_read(watch);
	child_run(punch, &place);
	check(watch_read(watch).mapped);
	check_equal(watch_read(watch).starts, before.starts);
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
	for (size_t i = 0; i < 20 * rounds; i++) {
		uint64_t address = (uintptr_t)s.at + i * 13 % (SIZE / PAGE) * PAGE;

		check(write(watch, &address, sizeof(address)) == sizeof(address) ||
		      errno == EAGAIN);
	}
	for (int i = 0; i < 2; i++)
		child_kill(pids[i]);
	check_equal(watch_read(watch).starts, watch_read(watch).ends);
	watch_close(watch);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_punched),	   cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flushed),	   cmocka_unit_test(test_other_slots_are_silent),
		cmocka_unit_test(test_deed_unmap), cmocka_unit_test(test_protect),
		cmocka_unit_test(test_drop_pages), cmocka_unit_test(test_move_away),
		cmocka_unit_test(test_paged_out),  cmocka_unit_test(test_collapsed),
		cmocka_unit_test(test_migrated),   cmocka_unit_test(test_race),
	};

	if (argc > 1)
		rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	taken = shared_memory(PAGE);
	return SHIM_MAIN(cases);
}
