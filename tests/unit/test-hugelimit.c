/* SPDX-License-Identifier: MIT */
/* What the control groups around this process still let it have of huge pages. */
#include "hugelimit.h"
#include "mock-sys.h"
#include "unit.h"

#include <stdio.h>

#define PMD ((uint64_t)2 << 20)
#define PUD ((uint64_t)1 << 30)
#define NO_LIMIT UINT64_MAX

static char file[256];

static uint64_t left(uint64_t page_size)
{
	return hugelimit_left(page_size, file, sizeof(file));
}

static void have_limit(const char *group, const char *size, const char *max, const char *current)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/hugetlb.%s.max", group, size);
	mock_file(path, max);
	snprintf(path, sizeof(path), "%s/hugetlb.%s.current", group, size);
	mock_file(path, current);
}

static void nothing_known_is_no_limit(void **state)
{
	(void)state;
	assert_true(left(PMD) == NO_LIMIT);
	mock_file("/proc/self/cgroup", "");
	assert_true(left(PMD) == NO_LIMIT);
	mock_file("/proc/self/cgroup", "4:memory:/a\n1:name=systemd:/b\n");
	assert_true(left(PMD) == NO_LIMIT);
	mock_file("/proc/self/cgroup", "0::/a/b\n");
	assert_true(left(PMD) == NO_LIMIT);
	assert_string_equal(file, "");
}

static void each_size_has_its_own(void **state)
{
	(void)state;
	mock_file("/proc/self/cgroup", "0::/pod\n");
	have_limit("/sys/fs/cgroup/pod", "2MB", "8388608\n", "2097152\n");
	have_limit("/sys/fs/cgroup/pod", "1GB", "0\n", "0\n");
	have_limit("/sys/fs/cgroup/pod", "64KB", "65536\n", "0\n");
	assert_int_equal(left(PMD), 3 * PMD);
	assert_int_equal(left(PUD), 0);
	assert_int_equal(left(65536), 65536);
	assert_true(left(32 * MIB) == NO_LIMIT);
}

static void above_the_limit_nothing_is_left(void **state)
{
	(void)state;
	mock_file("/proc/self/cgroup", "0::/pod\n");
	have_limit("/sys/fs/cgroup/pod", "2MB", "2097152\n", "4194304\n");
	assert_int_equal(left(PMD), 0);
	have_limit("/sys/fs/cgroup/pod", "2MB", "max\n", "4194304\n");
	assert_true(left(PMD) == NO_LIMIT);
}

static void the_tightest_around_counts(void **state)
{
	(void)state;
	mock_file("/proc/self/cgroup", "5:cpu:/x\n0::/slice/pod/leaf\n");
	have_limit("/sys/fs/cgroup/slice/pod/leaf", "2MB", "max\n", "0\n");
	have_limit("/sys/fs/cgroup/slice/pod", "2MB", "8388608\n", "0\n");
	have_limit("/sys/fs/cgroup/slice", "2MB", "20971520\n", "16777216\n");
	assert_int_equal(left(PMD), 2 * PMD);
	assert_string_equal(file, "/sys/fs/cgroup/slice/hugetlb.2MB.max");
	assert_int_equal(hugelimit_left(PMD, NULL, 0), 2 * PMD);
}

/* A container whose own group is the root of its mount, under a path that only the machine has. */
static void root_of_a_container(void **state)
{
	(void)state;
	mock_file("/proc/self/cgroup", "0::/kubepods/pod1\n");
	have_limit("/sys/fs/cgroup", "2MB", "0\n", "0\n");
	assert_int_equal(left(PMD), 0);
	mock_file("/proc/self/cgroup", "0::/\n");
	assert_int_equal(left(PMD), 0);
}

static void beside_version_1(void **state)
{
	(void)state;
	mock_file("/proc/self/cgroup", "7:pids:/\n0::/pod\n");
	have_limit("/sys/fs/cgroup/unified/pod", "2MB", "2097152\n", "0\n");
	assert_int_equal(left(PMD), PMD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_known_is_no_limit),
		TEST(each_size_has_its_own),
		TEST(above_the_limit_nothing_is_left),
		TEST(the_tightest_around_counts),
		TEST(root_of_a_container),
		TEST(beside_version_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
