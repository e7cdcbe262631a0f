/* SPDX-License-Identifier: MIT */
/* Rounding is exact on every page-size set, and nothing overflows unnoticed. */
#include "align.h"
#include "mock-sys.h"
#include "unit.h"

#define MAX_SIZE ((uint64_t)INT64_MAX)

static const struct page_sizes x86 = { 4 * KIB, 2 * MIB, GIB };

static void assert_sizes(uint64_t base, const char *text, uint64_t pmd, uint64_t pud)
{
	struct page_sizes sizes = page_sizes_from(base, text);

	assert_int_equal(sizes.base, base);
	assert_int_equal(sizes.pmd, pmd);
	assert_int_equal(sizes.pud, pud);
}

static void page_size_sets(void **state)
{
	(void)state;
	assert_sizes(4 * KIB, "2097152\n", 2 * MIB, GIB);
	assert_sizes(4 * KIB, "", 2 * MIB, GIB);
	assert_sizes(16 * KIB, "33554432\n", 32 * MIB, 64 * GIB);
	assert_sizes(16 * KIB, "", 32 * MIB, 64 * GIB);
	assert_sizes(64 * KIB, "536870912\n", 512 * MIB, 4096 * GIB);
	assert_sizes(64 * KIB, "", 512 * MIB, 4096 * GIB);
}

/* A file that makes no sense must not give sizes that make none. */
static void page_size_text_in_doubt(void **state)
{
	static const char *const nonsense[] = { "0",	"4096", "1024", "3000000",
						"none", "-1",	"\n",	"99999999999999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++)
		assert_sizes(4 * KIB, nonsense[i], 2 * MIB, GIB);
}

static void machine_sizes_come_from_the_system(void **state)
{
	const struct page_sizes *sizes;

	(void)state;
	mock_page_size(16 * KIB);
	mock_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "33554432\n");
	sizes = page_sizes();
	assert_int_equal(sizes->base, 16 * KIB);
	assert_int_equal(sizes->pmd, 32 * MIB);
	assert_int_equal(sizes->pud, 64 * GIB);
	mock_page_size(4 * KIB);
	assert_ptr_equal(page_sizes(), sizes);
	assert_int_equal(page_sizes()->base, 16 * KIB);
}

static void assert_up(uint64_t value, uint64_t to, uint64_t expected)
{
	uint64_t got = ~expected;

	assert_int_equal(align_up(value, to, &got), 0);
	assert_int_equal(got, expected);
}

static void assert_up_overflows(uint64_t value, uint64_t to)
{
	uint64_t got = 0;

	assert_int_equal(align_up(value, to, &got), -EOVERFLOW);
}

static void up(void **state)
{
	(void)state;
	assert_up(0, GIB, 0);
	assert_up(1, 1, 1);
	assert_up(1, 4 * KIB, 4 * KIB);
	assert_up(4 * KIB - 1, 4 * KIB, 4 * KIB);
	assert_up(4 * KIB, 4 * KIB, 4 * KIB);
	assert_up(4 * KIB + 1, 4 * KIB, 8 * KIB);
	assert_up(2 * GIB - 1, GIB, 2 * GIB);
}

static void up_near_the_largest_offset(void **state)
{
	static const uint64_t steps[] = { 1, 4 * KIB, 64 * KIB, 2 * MIB, GIB, 4096 * GIB };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint64_t last = MAX_SIZE + 1 - steps[i];

		assert_up(last, steps[i], last);
		assert_up(last - steps[i] + 1, steps[i], last);
		assert_up_overflows(last + 1, steps[i]);
		assert_up_overflows(MAX_SIZE + 1, steps[i]);
		assert_up_overflows(UINT64_MAX, steps[i]);
		assert_up_overflows(UINT64_MAX - steps[i] + 1, steps[i]);
	}
}

static void down(void **state)
{
	(void)state;
	assert_int_equal(align_down(0, GIB), 0);
	assert_int_equal(align_down(GIB - 1, GIB), 0);
	assert_int_equal(align_down(GIB, GIB), GIB);
	assert_int_equal(align_down(UINT64_MAX, 4 * KIB), UINT64_MAX - 4 * KIB + 1);
}

static void levels(void **state)
{
	static const int unknown[] = { -1, 4, 5, 100, INT32_MAX, INT32_MIN };
	uint64_t out;

	(void)state;
	assert_int_equal(align_for(&x86, 1, MSHARE_ALIGN_BASE), 4 * KIB);
	assert_int_equal(align_for(&x86, 5 * GIB, MSHARE_ALIGN_BASE), 4 * KIB);
	assert_int_equal(align_for(&x86, 1, MSHARE_ALIGN_PMD), 2 * MIB);
	assert_int_equal(align_for(&x86, 5 * GIB, MSHARE_ALIGN_PMD), 2 * MIB);
	assert_int_equal(align_for(&x86, 1, MSHARE_ALIGN_PUD), GIB);
	assert_int_equal(align_for(&x86, 1, MSHARE_ALIGN_AUTO), 2 * MIB);
	assert_int_equal(align_for(&x86, GIB - 1, MSHARE_ALIGN_AUTO), 2 * MIB);
	assert_int_equal(align_for(&x86, GIB, MSHARE_ALIGN_AUTO), GIB);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_int_equal(align_for(&x86, GIB, unknown[i]), 0);
		assert_int_equal(align_size(&x86, GIB, unknown[i], &out), -EINVAL);
	}
}

static void whole_units_in_a_range(void **state)
{
	(void)state;
	assert_true(align_has_whole(3 * GIB, 0, GIB, GIB));
	assert_true(align_has_whole(3 * GIB, 5 * GIB, GIB, GIB));
	assert_true(align_has_whole(3 * GIB - 2 * MIB, GIB - 2 * MIB, GIB + 2 * MIB, GIB));
	assert_true(align_has_whole(3 * GIB + 2 * MIB, 2 * MIB, 2 * GIB - 2 * MIB, GIB));
	/* Too short, though the address is right. */
	assert_false(align_has_whole(3 * GIB, 0, 64 * MIB, GIB));
	assert_false(align_has_whole(3 * GIB, 0, GIB - 1, GIB));
	/* Parts of two, as long as one or nearly two. */
	assert_false(align_has_whole(3 * GIB - 2 * MIB, GIB - 2 * MIB, GIB, GIB));
	assert_false(align_has_whole(3 * GIB + 2 * MIB, 2 * MIB, 2 * GIB - 4 * MIB, GIB));
	assert_false(align_has_whole(3 * GIB + 2 * MIB, 2 * MIB, 2 * MIB, GIB));
	/* Others map the same bytes at other places in their tables. */
	assert_false(align_has_whole(3 * GIB + 2 * MIB, 0, 4 * GIB, GIB));
	assert_false(align_has_whole(3 * GIB, 2 * MIB, 4 * GIB, GIB));
}

static void sizes_refused(void **state)
{
	uint64_t out;

	(void)state;
	for (int level = MSHARE_ALIGN_AUTO; level <= MSHARE_ALIGN_PUD; level++) {
		assert_int_equal(align_size(&x86, 0, level, &out), -EINVAL);
		assert_int_equal(align_size(&x86, SIZE_MAX, level, &out), -EOVERFLOW);
		assert_int_equal(align_size(&x86, MAX_SIZE, level, &out), -EOVERFLOW);
		assert_int_equal(align_size(&x86, MAX_SIZE + 1, level, &out), -EOVERFLOW);
	}
	assert_int_equal(align_size(&x86, MAX_SIZE - 4 * KIB + 1, MSHARE_ALIGN_BASE, &out), 0);
	assert_int_equal(out, MAX_SIZE - 4 * KIB + 1);
}

/* The definition of rounding up, for sizes on and beside every power of two. */
static void check_rounding(const struct page_sizes *sizes, uint64_t size, int level)
{
	uint64_t to = align_for(sizes, size, level);
	uint64_t out;

	if (size == 0 || align_size(sizes, size, level, &out) != 0)
		return;
	assert_true(out >= size);
	assert_true(out - size < to);
	assert_true(is_multiple(out, to));
	assert_true(out <= MAX_SIZE);
}

static void rounding_is_the_least_multiple(void **state)
{
	const struct page_sizes sets[] = { x86, page_sizes_from(16 * KIB, ""),
					   page_sizes_from(64 * KIB, "") };
	unsigned int done = 0;

	(void)state;
	for (size_t set = 0; set < ARRAY_SIZE(sets); set++)
		for (int level = MSHARE_ALIGN_AUTO; level <= MSHARE_ALIGN_PUD; level++)
			for (unsigned int bit = 0; bit < 64; bit++, done++) {
				uint64_t power = (uint64_t)1 << bit;
				uint64_t out;

				check_rounding(&sets[set], power - 1, level);
				check_rounding(&sets[set], power, level);
				check_rounding(&sets[set], power + 1, level);
				if (bit <= 50)
					assert_int_equal(
						align_size(&sets[set], power + 1, level, &out), 0);
			}
	assert_int_equal(done, 3 * 4 * 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_size_sets),
		cmocka_unit_test(page_size_text_in_doubt),
		cmocka_unit_test_setup_teardown(machine_sizes_come_from_the_system, mock_setup,
						mock_teardown),
		cmocka_unit_test(up),
		cmocka_unit_test(up_near_the_largest_offset),
		cmocka_unit_test(down),
		cmocka_unit_test(levels),
		cmocka_unit_test(whole_units_in_a_range),
		cmocka_unit_test(sizes_refused),
		cmocka_unit_test(rounding_is_the_least_multiple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
