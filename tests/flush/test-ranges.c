/* SPDX-License-Identifier: MIT */
/*
 * What a process stored through a mapping is on its way to nowhere but the disk when the flush of
 * its range returns: no page of the range is dirty, nor in transit. One run for each twin.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirty.h"
#include "flush.h"
#include "twins.h"

/* Pages further away than any folio, so that one is not written for the sake of the other. */
#define FAR (64 * MIB)

static const struct twin *twin;

/* Somebody's sync(2), or the kernel's own write-back, may come first: dirties until it is seen. */
static void make_dirty(struct page_view *view)
{
	for (int tries = 0; tries < 5; tries++) {
		view_store(view);
		if (view_is_dirty(view))
			return;
	}
	fail_msg("no page stays dirty here");
}

static void assert_written(int fd, const struct page_view *view, uint64_t off, uint64_t len)
{
	assert_false(view_is_dirty(view));
	/* Transit is visible to cachestat(2) only, from Linux 6.5 on. */
	assert_true(unwritten_pages(fd, off, len) <= 0);
}

/* Dirties the first and the last byte of the range and flushes it. */
static void check_range(uint64_t size, uint64_t off, uint64_t len)
{
	int fd = disk_file(size);
	struct page_view first = view_open(fd, off);
	struct page_view last = view_open(fd, off + len - 1);

	make_dirty(&first);
	make_dirty(&last);
	assert_int_equal(twin->flush(fd, (off_t)off, len), 0);
	assert_written(fd, &first, off, len);
	assert_written(fd, &last, off, len);
	view_close(&first);
	view_close(&last);
	close(fd);
}

static void test_one_byte(void **state)
{
	(void)state;
	check_range(MIB, 0, 1);
	check_range(MIB, 4097, 1);
	check_range(MIB, 8191, 1);
}

static void test_one_page(void **state)
{
	uint64_t page = sys_page_size();

	(void)state;
	check_range(MIB, 0, page);
	check_range(MIB, 3 * page, page);
}

static void test_two_pages_touched_by_two_bytes(void **state)
{
	(void)state;
	check_range(MIB, sys_page_size() - 1, 2);
}

static void test_around_one_chunk(void **state)
{
	(void)state;
	check_range(32 * MIB, 0, FLUSH_CHUNK - 1);
	check_range(32 * MIB, 0, FLUSH_CHUNK);
	check_range(32 * MIB, 0, FLUSH_CHUNK + 1);
	check_range(32 * MIB, 12345, FLUSH_CHUNK + 1);
}

static void test_behind_5_gib(void **state)
{
	(void)state;
	check_range(5 * GIB + MIB, 5 * GIB - 1, 2);
	check_range(5 * GIB + MIB, 5 * GIB, MIB);
}

/* More bytes than the length of a request can say. */
static void test_longer_than_4_gib(void **state)
{
	(void)state;
	check_range(5 * GIB + MIB, 1, 4 * GIB + 1);
	check_range(9 * GIB, 0, 9 * GIB);
}

static void test_every_piece_of_many(void **state)
{
	enum { PIECES = 80 };
	struct page_view views[PIECES];
	int fd = disk_file(PIECES * FLUSH_CHUNK);

	(void)state;
	for (int i = 0; i < PIECES; i++) {
		views[i] = view_open(fd, (uint64_t)i * FLUSH_CHUNK + (uint64_t)i * 4096);
		make_dirty(&views[i]);
	}
	assert_int_equal(twin->flush(fd, 0, PIECES * FLUSH_CHUNK), 0);
	assert_true(unwritten_pages(fd, 0, PIECES * FLUSH_CHUNK) <= 0);
	for (int i = 0; i < PIECES; i++) {
		assert_false(view_is_dirty(&views[i]));
		view_close(&views[i]);
	}
	close(fd);
}

/* Tells whether a page before, and one after, a flushed range are still dirty. */
static bool neighbours_stay_dirty(void)
{
	int fd = disk_file(3 * FAR);
	struct page_view before = view_open(fd, 0);
	struct page_view inside = view_open(fd, FAR);
	struct page_view after = view_open(fd, 2 * FAR);
	bool both;

	make_dirty(&before);
	make_dirty(&inside);
	make_dirty(&after);
	assert_int_equal(twin->flush(fd, FAR, 4096), 0);
	assert_false(view_is_dirty(&inside));
	both = view_is_dirty(&before) && view_is_dirty(&after);
	view_close(&before);
	view_close(&inside);
	view_close(&after);
	close(fd);
	return both;
}

/* Asked again before it is believed that they were written: others may call sync(2). */
static void test_only_the_range(void **state)
{
	(void)state;
	for (int tries = 0; tries < 3; tries++)
		if (neighbours_stay_dirty())
			return;
	fail_msg("pages %llu MiB away were written too", (unsigned long long)(FAR / MIB));
}

static void test_read_only_descriptor(void **state)
{
	int fd = disk_file(MIB);
	int reader = reopen_read_only(fd);
	struct page_view view = view_open(fd, 4096);

	(void)state;
	make_dirty(&view);
	assert_int_equal(twin->flush(reader, 4096, 4096), 0);
	assert_written(fd, &view, 4096, 4096);
	view_close(&view);
	close(reader);
	close(fd);
}

/* The file got shorter: what is left is written, and nobody gets SIGBUS. */
static void test_past_the_end(void **state)
{
	int fd = disk_file(32 * MIB);
	struct page_view view = view_open(fd, 0);

	(void)state;
	make_dirty(&view);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(twin->flush(fd, 0, 32 * MIB), 0);
	assert_written(fd, &view, 0, 100);
	view_close(&view);
	close(fd);
}

/* A number no descriptor has; one just closed would be given to the ring. */
static void test_bad_descriptor(void **state)
{
	(void)state;
	assert_int_equal(twin->flush(-1, 0, 4096), -EBADF);
	assert_int_equal(twin->flush(-1, 0, 32 * MIB), -EBADF);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_byte),
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_two_pages_touched_by_two_bytes),
		cmocka_unit_test(test_around_one_chunk),
		cmocka_unit_test(test_behind_5_gib),
		cmocka_unit_test(test_longer_than_4_gib),
		cmocka_unit_test(test_every_piece_of_many),
		cmocka_unit_test(test_only_the_range),
		cmocka_unit_test(test_read_only_descriptor),
		cmocka_unit_test(test_past_the_end),
		cmocka_unit_test(test_bad_descriptor),
	};

	twin = twin_by_name(argc > 1 ? argv[1] : "data");
	close(disk_file(0)); /* skips here, where the exit status is ours */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
