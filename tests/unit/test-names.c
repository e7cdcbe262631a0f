/* SPDX-License-Identifier: MIT */
/* Names of regions, and the hugetlbfs mounts they may be in. */
#include "backing.h"
#include "log.h"
#include "mock-sys.h"
#include "unit.h"

#include <limits.h>

static void good_names(void **state)
{
	static const char *const names[] = { "/a",   "/pgbuf",	  "/...", "/.hidden",
					     "/a b", "/\xc3\xa4", "/a\n" };
	char longest[NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(backing_check_name(names[i]), 0);
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[NAME_MAX + 1] = '\0';
	assert_int_equal(backing_check_name(longest), 0);
}

static void bad_names(void **state)
{
	static const char *const names[] = { "",     "/",   "a",   "pgbuf", "a/b", "//", "//a",
					     "/a/b", "/a/", "/..", "/.",    ".",   "..", "/../a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(backing_check_name(names[i]), -EINVAL);
		assert_non_null(strstr(fail_reason(), "name \""));
	}
}

static void long_names(void **state)
{
	char name[5000];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[NAME_MAX + 2] = '\0';
	assert_int_equal(backing_check_name(name), -ENAMETOOLONG);
	name[NAME_MAX + 2] = 'x';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(backing_check_name(name), -ENAMETOOLONG);
	assert_non_null(strstr(fail_reason(), "4998"));
}

static void assert_mount(uint64_t page_size, unsigned int index, const char *expected)
{
	char dir[PATH_MAX] = "";
	int err = backing_hugetlb_dir(page_size, index, dir);

	assert_int_equal(err, expected ? 0 : -ENOENT);
	if (expected)
		assert_string_equal(dir, expected);
}

static void mounts(void **state)
{
	(void)state;
	mock_file("/proc/self/mounts", "proc /proc proc rw 0 0\n"
				       "none /mnt/hugetlbfs tmpfs rw,pagesize=2M 0 0\n"
				       "none /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
				       "none /mnt/gib hugetlbfs rw,pagesize=1024M 0 0\n"
				       "none /mnt/with\\040space hugetlbfs rw,pagesize=2048K 0 0\n"
				       "none /mnt/g hugetlbfs rw,pagesize=1G 0 0\n"
				       "none /mnt/silent hugetlbfs rw 0 0\n");
	assert_mount(2 * MIB, 0, "/dev/hugepages");
	assert_mount(2 * MIB, 1, "/mnt/with space");
	assert_mount(2 * MIB, 2, NULL);
	assert_mount(GIB, 0, "/mnt/gib");
	assert_mount(GIB, 1, "/mnt/g");
	assert_mount(GIB, 2, NULL);
	assert_mount(64 * KIB, 0, NULL);
	assert_mount(0, 4, "/mnt/silent");
	assert_mount(0, 5, NULL);
}

static void no_mounts(void **state)
{
	(void)state;
	assert_mount(0, 0, NULL);
	mock_file("/proc/self/mounts", "");
	assert_mount(0, 0, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(good_names), TEST(bad_names), TEST(long_names),
					    TEST(mounts), TEST(no_mounts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
