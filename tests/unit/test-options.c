/* SPDX-License-Identifier: MIT */
/* Programs older and newer than the library: structs of other sizes, and attr values unknown here.
 */
#include "options.h"
#include "log.h"
#include "mock-sys.h"
#include "unit.h"

#include <stdlib.h>

/* A struct that was released with two fields and has three by now. */
struct grown {
	size_t size;
	uint64_t first;
	uint64_t later;
};
#define GROWN_V0 offsetof(struct grown, later)

static const struct grown defaults = { sizeof(defaults), 11, 22 };

/* src of exactly `size` bytes on the heap, so that a sanitizer sees a read past its end. */
static int in(struct grown *dst, size_t size, const void *bytes, size_t given)
{
	unsigned char *src = calloc(1, given > sizeof(size) ? given : sizeof(size));
	int err;

	assert_non_null(src);
	memcpy(src, bytes, given);
	memcpy(src, &size, sizeof(size));
	*dst = defaults;
	err = options_in(dst, sizeof(*dst), src, GROWN_V0, "grown");
	free(src);
	return err;
}

static void null_leaves_the_defaults(void **state)
{
	struct grown dst = defaults;

	(void)state;
	assert_int_equal(options_in(&dst, sizeof(dst), NULL, GROWN_V0, "grown"), 0);
	assert_memory_equal(&dst, &defaults, sizeof(dst));
}

static void sizes_below_the_first_release(void **state)
{
	const struct grown src = { 0, 1, 2 };
	struct grown dst;

	(void)state;
	for (size_t size = 0; size < GROWN_V0; size++) {
		assert_int_equal(in(&dst, size, &src, GROWN_V0), -EINVAL);
		assert_memory_equal(&dst, &defaults, sizeof(dst));
		assert_non_null(strstr(fail_reason(), "struct grown"));
	}
}

static void older_caller_leaves_later_fields_alone(void **state)
{
	const struct grown src = { 0, 1, 2 };
	struct grown dst;

	(void)state;
	assert_int_equal(in(&dst, GROWN_V0, &src, GROWN_V0), 0);
	assert_int_equal(dst.first, 1);
	assert_int_equal(dst.later, 22);
	assert_int_equal(dst.size, sizeof(dst));
}

static void same_age(void **state)
{
	const struct grown src = { 0, 1, 2 };
	struct grown dst;

	(void)state;
	assert_int_equal(in(&dst, sizeof(src), &src, sizeof(src)), 0);
	assert_int_equal(dst.first, 1);
	assert_int_equal(dst.later, 2);
	assert_int_equal(dst.size, sizeof(dst));
}

static void newer_caller_may_only_add_zeroes(void **state)
{
	unsigned char src[4096] = { 0 };
	struct grown dst;

	(void)state;
	memcpy(src + offsetof(struct grown, later), &(uint64_t){ 2 }, sizeof(uint64_t));
	for (size_t size = sizeof(dst) + 1; size <= sizeof(src); size += 37) {
		assert_int_equal(in(&dst, size, src, size), 0);
		assert_int_equal(dst.later, 2);
		assert_int_equal(dst.size, sizeof(dst));
		src[size - 1] = 1;
		assert_int_equal(in(&dst, size, src, size), -E2BIG);
		assert_memory_equal(&dst, &defaults, sizeof(dst));
		src[size - 1] = 0;
	}
}

/* The size is garbage, not a newer release: nothing behind the struct may be read. */
static void absurd_size_is_not_believed(void **state)
{
	const struct grown src = { 0, 1, 2 };
	struct grown dst;

	(void)state;
	assert_int_equal(in(&dst, 4097, &src, sizeof(src)), -E2BIG);
	assert_int_equal(in(&dst, SIZE_MAX, &src, sizeof(src)), -E2BIG);
	assert_memory_equal(&dst, &defaults, sizeof(dst));
}

static void out_sizes(void **state)
{
	(void)state;
	assert_int_equal(options_out_size(0, GROWN_V0, "grown"), -EINVAL);
	assert_int_equal(options_out_size(GROWN_V0 - 1, GROWN_V0, "grown"), -EINVAL);
	assert_int_equal(options_out_size(GROWN_V0, GROWN_V0, "grown"), 0);
	assert_int_equal(options_out_size(4096, GROWN_V0, "grown"), 0);
	assert_int_equal(options_out_size(4097, GROWN_V0, "grown"), -E2BIG);
	assert_int_equal(options_out_size(SIZE_MAX, GROWN_V0, "grown"), -E2BIG);
}

static void out_is_cut_to_the_older_caller(void **state)
{
	const struct grown src = { sizeof(src), 1, 2 };
	struct grown dst = { GROWN_V0, 77, 88 };

	(void)state;
	options_out(&dst, &src, sizeof(src));
	assert_int_equal(dst.size, GROWN_V0);
	assert_int_equal(dst.first, 1);
	assert_int_equal(dst.later, 88);
}

static void out_is_zeroed_for_the_newer_caller(void **state)
{
	const struct grown src = { sizeof(src), 1, 2 };
	struct {
		struct grown known;
		unsigned char added[40];
		unsigned char beyond;
	} dst = { .known.size = sizeof(src) + sizeof(dst.added), .beyond = 99 };

	(void)state;
	memset(dst.added, 55, sizeof(dst.added));
	options_out(&dst, &src, sizeof(src));
	assert_int_equal(dst.known.size, sizeof(src) + sizeof(dst.added));
	assert_int_equal(dst.known.later, 2);
	for (size_t i = 0; i < sizeof(dst.added); i++)
		assert_int_equal(dst.added[i], 0);
	assert_int_equal(dst.beyond, 99);
}

static void attr_defaults(void **state)
{
	const struct mshare_attr init = MSHARE_ATTR_INIT;
	struct mshare_attr out;

	(void)state;
	for (int given = 0; given <= 1; given++) {
		memset(&out, 0xaa, sizeof(out));
		assert_int_equal(options_attr(given ? &init : NULL, &out), 0);
		assert_int_equal(out.size, sizeof(out));
		assert_int_equal(out.flags, 0);
		assert_int_equal(out.prefer, MSHARE_PAGES_AUTO);
		assert_int_equal(out.require, MSHARE_PAGES_AUTO);
		assert_int_equal(out.align, MSHARE_ALIGN_AUTO);
		assert_int_equal(out.mode, 0600);
	}
}

static void attr_values_are_kept(void **state)
{
	const struct mshare_attr in = { .size = sizeof(in),
					.flags = MSHARE_REQUIRE_SHARED_TABLES | MSHARE_NORESERVE,
					.prefer = MSHARE_PAGES_PUD,
					.require = MSHARE_PAGES_PMD,
					.align = MSHARE_ALIGN_PUD,
					.mode = 0777 };
	struct mshare_attr out;

	(void)state;
	assert_int_equal(options_attr(&in, &out), 0);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void attr_unknown_flags(void **state)
{
	struct mshare_attr in = MSHARE_ATTR_INIT;
	struct mshare_attr out;

	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t flag = (uint64_t)1 << bit;
		bool known = flag & (MSHARE_REQUIRE_SHARED_TABLES | MSHARE_NORESERVE);

		in.flags = flag | MSHARE_NORESERVE;
		assert_int_equal(options_attr(&in, &out), known ? 0 : -EINVAL);
	}
}

static void attr_unknown_values(void **state)
{
	static const struct mshare_attr bad[] = {
		{ .prefer = MSHARE_PAGES_PUD + 1 },
		{ .prefer = UINT32_MAX },
		{ .require = MSHARE_PAGES_PUD + 1 },
		{ .require = UINT32_MAX },
		{ .align = MSHARE_ALIGN_PUD + 1 },
		{ .align = UINT32_MAX },
		{ .mode = 01000 },
		{ .mode = 04755 },
		{ .mode = (uint32_t)S_IFREG | 0600 },
		{ .mode = UINT32_MAX },
	};
	struct mshare_attr out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct mshare_attr in = bad[i];

		in.size = sizeof(in);
		assert_int_equal(options_attr(&in, &out), -EINVAL);
		assert_non_null(strstr(fail_reason(), "attr"));
	}
}

static void attr_struct_size(void **state)
{
	struct mshare_attr in = MSHARE_ATTR_INIT;
	struct mshare_attr out;
	struct {
		struct mshare_attr attr;
		uint64_t later;
	} newer = { .attr.size = sizeof(newer) };

	(void)state;
	assert_int_equal(ATTR_SIZE_V0, sizeof(in));
	in.size = ATTR_SIZE_V0 - 1;
	assert_int_equal(options_attr(&in, &out), -EINVAL);
	assert_int_equal(options_attr(&newer.attr, &out), 0);
	newer.later = 1;
	assert_int_equal(options_attr(&newer.attr, &out), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_leaves_the_defaults),
		cmocka_unit_test(sizes_below_the_first_release),
		cmocka_unit_test(older_caller_leaves_later_fields_alone),
		cmocka_unit_test(same_age),
		cmocka_unit_test(newer_caller_may_only_add_zeroes),
		cmocka_unit_test(absurd_size_is_not_believed),
		cmocka_unit_test(out_sizes),
		cmocka_unit_test(out_is_cut_to_the_older_caller),
		cmocka_unit_test(out_is_zeroed_for_the_newer_caller),
		cmocka_unit_test(attr_defaults),
		cmocka_unit_test(attr_values_are_kept),
		cmocka_unit_test(attr_unknown_flags),
		cmocka_unit_test(attr_unknown_values),
		cmocka_unit_test(attr_struct_size),
	};

	return cmocka_run_group_tests(tests, mock_setup, mock_teardown);
}
