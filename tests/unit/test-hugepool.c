/* SPDX-License-Identifier: MIT */
/* The command in a sentence must give what was asked for, and never make a pool smaller. */
#include "hugepool.h"
#include "mock-sys.h"
#include "unit.h"

#include <stdio.h>

#define PMD ((uint64_t)2 << 20)
#define PUD ((uint64_t)1 << 30)

static void have_pool(const char *pool, int total, int free_pages, int reserved)
{
	const struct {
		const char *file;
		int value;
	} files[] = { { "nr_hugepages", total },
		      { "free_hugepages", free_pages },
		      { "resv_hugepages", reserved } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];
		char text[16];

		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%s/%s", pool,
			 files[i].file);
		snprintf(text, sizeof(text), "%d\n", files[i].value);
		mock_file(path, text);
	}
}

static void assert_sentence(uint64_t page_size, uint64_t need, const char *expected)
{
	char text[240];

	hugepool_sentence(page_size, need, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void reserved_pages_are_not_available(void **state)
{
	struct hugepool pool;

	(void)state;
	have_pool("2048kB", 20, 12, 5);
	assert_int_equal(hugepool_read(PMD, &pool), 0);
	assert_int_equal(pool.total, 20);
	assert_int_equal(pool.available, 7);
	have_pool("2048kB", 20, 1, 5); /* overcommitted pages are reserved before they exist */
	assert_int_equal(hugepool_read(PMD, &pool), 0);
	assert_int_equal(pool.available, 0);
	assert_int_equal(hugepool_read(PUD, &pool), -ENOENT);
}

static void command_names_the_new_total(void **state)
{
	(void)state;
	have_pool("2048kB", 0, 0, 0);
	assert_sentence(PMD, 1, "needs 1 huge page of 2 MiB, 0 are free: sysctl vm.nr_hugepages=1");
	have_pool("2048kB", 100, 1, 0);
	assert_sentence(PMD, 4,
			"needs 4 huge pages of 2 MiB, 1 is free: sysctl vm.nr_hugepages=103");
	have_pool("2048kB", 100, 30, 28);
	assert_sentence(PMD, 3,
			"needs 3 huge pages of 2 MiB, 2 are free: sysctl vm.nr_hugepages=101");
}

static void other_sizes_have_other_commands(void **state)
{
	(void)state;
	have_pool("1048576kB", 3, 0, 0);
	assert_sentence(PUD, 2,
			"needs 2 huge pages of 1 GiB, 0 are free: boot with hugepagesz=1024M "
			"hugepages=5");
	mock_file("/proc/meminfo", "HugePages_Total: 0\nHugepagesize:    1048576 kB\n");
	have_pool("2048kB", 3, 0, 0);
	assert_sentence(PMD, 1,
			"needs 1 huge page of 2 MiB, 0 are free: echo 4 | tee "
			"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	mock_file("/proc/meminfo", "HugePages_Total: 0\nHugepagesize:    2048 kB\n");
	assert_sentence(PMD, 1, "needs 1 huge page of 2 MiB, 0 are free: sysctl vm.nr_hugepages=4");
}

static void enough_pages_need_no_command(void **state)
{
	char text[240];

	(void)state;
	have_pool("2048kB", 8, 8, 0);
	hugepool_sentence(PMD, 8, text, sizeof(text));
	assert_non_null(strstr(text, "needs 8 huge pages of 2 MiB, 8 are free: "));
	assert_null(strstr(text, "sysctl"));
}

static void no_pool(void **state)
{
	(void)state;
	assert_sentence(PMD, 1, "this kernel has no pool of 2 MiB huge pages");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reserved_pages_are_not_available),
		TEST(command_names_the_new_total),
		TEST(other_sizes_have_other_commands),
		TEST(enough_pages_need_no_command),
		TEST(no_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
