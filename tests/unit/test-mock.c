/* SPDX-License-Identifier: MIT */
/* The mock itself: a test on a mock that forgives is a test that cannot fail. */
#include "mock-sys.h"
#include "sys.h"
#include "unit.h"

static void assert_complaint(const char *part)
{
	const char *complaints = mock_take_complaints();

	assert_non_null(strstr(complaints, part));
	assert_string_equal(mock_take_complaints(), "");
}

static void answers_in_order(void **state)
{
	(void)state;
	mock_expect(7, "dup(3)");
	mock_expect(-EIO, "close(%d)", 7);
	assert_int_equal(mock_pending(), 2);
	assert_int_equal(sys_dup(3), 7);
	assert_int_equal(sys_close(7), -EIO);
	assert_string_equal(mock_take_complaints(), "");
}

static void gives_out_parameters(void **state)
{
	const struct stat given = { .st_size = 12345 };
	const uint64_t space[] = { 100, 40 };
	struct stat st;
	uint64_t total;
	uint64_t free_bytes;
	void *at = NULL;

	(void)state;
	mock_expect(0, "fstat(4)");
	mock_gives(&given, sizeof(given));
	mock_expect(0, "fs_space(/dev/shm)");
	mock_gives(space, sizeof(space));
	mock_expect_map(0x5000, "mmap(*)");
	assert_int_equal(sys_fstat(4, &st), 0);
	assert_int_equal(st.st_size, 12345);
	assert_int_equal(sys_fs_space("/dev/shm", &total, &free_bytes), 0);
	assert_int_equal(total, 100);
	assert_int_equal(free_bytes, 40);
	assert_int_equal(sys_mmap(NULL, 1, 0, 0, -1, 0, &at), 0);
	assert_int_equal((uintptr_t)at, 0x5000);
}

static void complains_of_wrong_arguments(void **state)
{
	(void)state;
	mock_expect(0, "close(5)");
	assert_int_equal(sys_close(6), -ENOTRECOVERABLE);
	assert_complaint("call not expected: close(6); expected: close(5)");
}

static void complains_of_another_call(void **state)
{
	(void)state;
	mock_expect(0, "close(5)");
	assert_int_equal(sys_dup(5), -ENOTRECOVERABLE);
	assert_complaint("dup(5)");
}

static void complains_of_one_call_too_many(void **state)
{
	(void)state;
	mock_expect(0, "close(5)");
	assert_int_equal(sys_close(5), 0);
	assert_int_equal(sys_close(5), -ENOTRECOVERABLE);
	assert_complaint("nothing more");
}

static void complains_of_a_call_never_made(void **state)
{
	(void)state;
	mock_expect(0, "munmap(*)");
	assert_complaint("call never made: munmap(*)");
}

static void complains_of_an_answer_that_does_not_fit(void **state)
{
	uint64_t type;

	(void)state;
	mock_expect(0, "fs_type(1)");
	mock_gives("sixteen bytes...", 16);
	assert_int_equal(sys_fs_type(1, &type), 0);
	assert_complaint("answer longer than its place");
}

static void state_is_not_script(void **state)
{
	char buf[4];

	(void)state;
	assert_null(sys_getenv("MSHARE_BACKEND"));
	mock_env("MSHARE_BACKEND", "plain");
	mock_env("MSHARE_BACKEND", "thp");
	assert_string_equal(sys_getenv("MSHARE_BACKEND"), "thp");
	mock_env("MSHARE_BACKEND", NULL);
	assert_null(sys_getenv("MSHARE_BACKEND"));
	assert_int_equal(sys_read_file("/x", buf, sizeof(buf)), -ENOENT);
	mock_file("/x", "12345");
	assert_int_equal(sys_read_file("/x", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "123");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, mock_setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_in_order),
		TEST(gives_out_parameters),
		TEST(complains_of_wrong_arguments),
		TEST(complains_of_another_call),
		TEST(complains_of_one_call_too_many),
		TEST(complains_of_a_call_never_made),
		TEST(complains_of_an_answer_that_does_not_fit),
		TEST(state_is_not_script),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
