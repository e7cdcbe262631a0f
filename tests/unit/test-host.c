/* SPDX-License-Identifier: MIT */
/* When a helper is started, and with what; the process that starts it is the mock's. */
#include "host.h"
#include "mock-sys.h"
#include "unit.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

/* What the helper would have been started with. */
static struct {
	int count;
	int result;
	char path[256];
	char label[256];
	unsigned int env_count;
	bool foreign_env;
	short flags;
} spawned;

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	spawned.count++;
	snprintf(spawned.path, sizeof(spawned.path), "%s", path);
	snprintf(spawned.label, sizeof(spawned.label), "%s", argv[1] ? argv[1] : "");
	for (; *envp; envp++) {
		spawned.env_count++;
		spawned.foreign_env |= strncmp(*envp, "MSHARE_", 7) != 0;
	}
	posix_spawnattr_getflags(attr, &spawned.flags);
	*pid = 1;
	return files ? spawned.result : EINVAL;
}

static int setup(void **state)
{
	memset(&spawned, 0, sizeof(spawned));
	return mock_setup(state);
}

static void expect_locks(long announced, long present)
{
	mock_expect(announced, "ofd_lock(7, shared, presence)");
	if (announced == 0)
		mock_expect(present, "ofd_test(7, host)");
}

/* Announced, no host there, and this is what looking for the program says. */
static void expect_search(long found, const char *path)
{
	expect_locks(0, 0);
	mock_expect(found, "access_exec(%s)", path);
}

static void expect_locked_out(void)
{
	for (int i = 0; i < 50; i++)
		mock_expect(-EAGAIN, "ofd_lock(7, shared, presence)");
}

static void announces_by_a_shared_lock(void **state)
{
	(void)state;
	mock_expect(0, "ofd_lock(7, shared, presence)");
	assert_int_equal(host_announce(7), 0);
	expect_locked_out();
	assert_int_equal(host_announce(7), -EAGAIN);
}

/* For a moment, when the last user has gone. */
static void waits_for_a_leaving_host(void **state)
{
	(void)state;
	mock_expect(-EAGAIN, "ofd_lock(7, shared, presence)");
	mock_expect(-EAGAIN, "ofd_lock(7, shared, presence)");
	mock_expect(0, "ofd_lock(7, shared, presence)");
	assert_int_equal(host_announce(7), 0);
}

static void looks_at_the_host_lock(void **state)
{
	static const long answers[] = { 0, 1, -EINVAL, -EBADF };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		mock_expect(answers[i], "ofd_test(7, host)");
		assert_int_equal(host_present(7), answers[i]);
	}
}

static void present_host_is_enough(void **state)
{
	(void)state;
	expect_locks(0, 1);
	assert_int_equal(host_ensure(7, "pool"), 0);
	assert_int_equal(spawned.count, 0);
}

/* Announced first, then looked for: the other way round a leaving host would miss us. */
static void absent_host_is_started(void **state)
{
	(void)state;
	clearenv(); /* people set variables of this library and of its tests */
	setenv("LD_PRELOAD_TEST_OF_OURS", "1", 1);
	setenv("MSHARE_TEST_OF_OURS", "1", 1);
	mock_env("MSHARE_HOST", "/opt/helper");
	expect_search(0, "/opt/helper");
	mock_expect(0, "run_apart()");
	assert_int_equal(host_ensure(7, "pool"), 0);
	assert_int_equal(spawned.count, 1);
	assert_string_equal(spawned.path, "/opt/helper");
	assert_string_equal(spawned.label, "pool");
	assert_int_equal(spawned.env_count, 1);
	assert_false(spawned.foreign_env);
	assert_true(spawned.flags & POSIX_SPAWN_SETSID);
	assert_true(spawned.flags & POSIX_SPAWN_SETSIGMASK);
	assert_true(spawned.flags & POSIX_SPAWN_SETSIGDEF);
	unsetenv("MSHARE_TEST_OF_OURS");
	unsetenv("LD_PRELOAD_TEST_OF_OURS");
}

static void announcing_refused(void **state)
{
	static const int errors[] = { -ENOLCK, -EBADF };

	(void)state;
	expect_locked_out();
	assert_int_equal(host_ensure(7, "pool"), -EAGAIN);
	mock_verify();
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_locks(errors[i], 0);
		assert_int_equal(host_ensure(7, "pool"), errors[i]);
		mock_verify();
	}
	assert_int_equal(spawned.count, 0);
}

static void looking_refused(void **state)
{
	(void)state;
	expect_locks(0, -EINVAL);
	assert_int_equal(host_ensure(7, "pool"), -EINVAL);
	assert_int_equal(spawned.count, 0);
}

static void no_process_to_start_it(void **state)
{
	(void)state;
	expect_search(0, MSHARE_HOST_PATH);
	mock_expect(-EAGAIN, "run_apart()");
	assert_int_equal(host_ensure(7, "pool"), -EAGAIN);
	assert_int_equal(spawned.count, 0);
}

static void helper_that_cannot_be_executed(void **state)
{
	static const int errors[] = { ENOENT, EACCES, ENOMEM, EAGAIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		spawned.result = errors[i];
		expect_search(0, MSHARE_HOST_PATH);
		mock_expect(0, "run_apart()");
		assert_int_equal(host_ensure(7, "pool"), -errors[i]);
		mock_verify();
	}
	assert_int_equal(spawned.count, ARRAY_SIZE(errors));
}

/* The caller is announced all the same, for a helper that another process starts. No process is
 * made for what cannot work. */
static void missing_helper_costs_no_process(void **state)
{
	static const int errors[] = { -ENOENT, -EACCES, -ENOTDIR };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		expect_search(errors[i], MSHARE_HOST_PATH);
		assert_int_equal(host_ensure(7, "pool"), errors[i]);
		mock_verify();
	}
	assert_int_equal(spawned.count, 0);
}

static void path_of_the_helper(void **state)
{
	(void)state;
	assert_string_equal(host_path(), MSHARE_HOST_PATH);
	mock_env("MSHARE_HOST", "/opt/helper");
	assert_string_equal(host_path(), "/opt/helper");
	mock_env("MSHARE_HOST", "");
	assert_string_equal(host_path(), MSHARE_HOST_PATH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(announces_by_a_shared_lock),
		TEST(waits_for_a_leaving_host),
		TEST(looks_at_the_host_lock),
		TEST(present_host_is_enough),
		TEST(absent_host_is_started),
		TEST(announcing_refused),
		TEST(looking_refused),
		TEST(no_process_to_start_it),
		TEST(helper_that_cannot_be_executed),
		TEST(missing_helper_costs_no_process),
		TEST(path_of_the_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
