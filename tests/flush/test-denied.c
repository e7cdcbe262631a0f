/* SPDX-License-Identifier: MIT */
/*
 * io_uring is missing, forbidden or out of resources: the twin writes the range back, says that it
 * did, and an error of the file itself is never retried away. Each case runs in a child, because
 * what is denied stays denied.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before cmocka.h, which has a macro called fail(). */
#include "log.h"

#include <cmocka.h>

#include "check.h"
#include "deny.h"
#include "dirty.h"
#include "flush.h"

/* The longest range has several pieces, the shortest one request only. */
static const uint64_t lengths[] = { 4096, 3 * FLUSH_CHUNK };

enum verdict {
	WRITTEN_BY_TWIN,
	WRITTEN_BY_URING,
	FAILED,
	LEFT_DIRTY,
	NEVER_DIRTY,
	NOT_REPORTED,
	LEAKED
};

static enum verdict flush_once(int fd, uint64_t len)
{
	struct page_view view = view_open(fd, len - 1);
	bool used_uring = true;
	enum verdict verdict;

	view_store(&view);
	if (!view_is_dirty(&view))
		verdict = NEVER_DIRTY;
	else if (flush_data(fd, 0, len, &used_uring) != 0)
		verdict = FAILED;
	else if (view_is_dirty(&view))
		verdict = LEFT_DIRTY;
	else
		verdict = used_uring ? WRITTEN_BY_URING : WRITTEN_BY_TWIN;
	view_close(&view);
	return verdict;
}

static int flush_each_length(int fd)
{
	enum verdict verdict = WRITTEN_BY_TWIN;

	for (size_t i = 0; verdict == WRITTEN_BY_TWIN && i < sizeof(lengths) / sizeof(lengths[0]);
	     i++)
		verdict = flush_once(fd, lengths[i]);
	return (int)verdict;
}

/* The line for MSHARE_DEBUG goes to stderr; here it goes to a pipe to be looked at. */
static int flush_and_expect_line(int fd, const char *expected)
{
	char text[1024] = "";
	int ends[2];
	int verdict;

	if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return FAILED;
	setenv("MSHARE_DEBUG", "1", 1);
	verdict = flush_each_length(fd);
	if (verdict != WRITTEN_BY_TWIN)
		return verdict;
	if (read(ends[0], text, sizeof(text) - 1) <= 0 || !strstr(text, expected))
		return NOT_REPORTED;
	return verdict;
}

static int without_setup(int err)
{
	int fd = disk_file(32 * MIB);

	deny_call(SYS_io_uring_setup, err);
	if (flush_uring_probe() != -err)
		return FAILED;
	return flush_and_expect_line(fd, strerror(err));
}

static int setup_is_missing(void)
{
	return without_setup(ENOSYS);
}

static int setup_is_forbidden(void)
{
	return without_setup(EPERM);
}

static int setup_lacks_memory(void)
{
	return without_setup(ENOMEM);
}

static int use_is_forbidden(void)
{
	int fd = disk_file(32 * MIB);

	deny_call(SYS_io_uring_enter, EPERM);
	if (flush_uring_probe() != -EPERM)
		return FAILED;
	return flush_and_expect_line(fd, strerror(EPERM));
}

/* Runs a flush while the soft limit is as low as it gets. */
static int flush_under_limit(int resource, int fd, bool *used_uring)
{
	struct rlimit before, none;
	int err;

	getrlimit(resource, &before);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	setrlimit(resource, &none);
	err = flush_data(fd, 0, 32 * MIB, used_uring);
	setrlimit(resource, &before);
	return err;
}

static enum verdict written_under_limit(int resource)
{
	int fd = disk_file(32 * MIB);
	struct page_view view = view_open(fd, 32 * MIB - 1);
	unsigned int descriptors = count_descriptors();
	bool used_uring = true;

	view_store(&view);
	if (!view_is_dirty(&view))
		return NEVER_DIRTY;
	if (flush_under_limit(resource, fd, &used_uring) != 0)
		return FAILED;
	if (count_descriptors() != descriptors)
		return LEAKED;
	if (view_is_dirty(&view))
		return LEFT_DIRTY;
	return used_uring ? WRITTEN_BY_URING : WRITTEN_BY_TWIN;
}

static int no_descriptor_is_left(void)
{
	return (int)written_under_limit(RLIMIT_NOFILE);
}

/* Neither rings nor windows: the whole file is synced, without a mapping. */
static int no_address_space_is_left(void)
{
	return (int)written_under_limit(RLIMIT_AS);
}

/* Proves that the twin's own failure is not lost. */
static int twin_fails_too(void)
{
	int fd = disk_file(32 * MIB);

	deny_call(SYS_io_uring_setup, ENOSYS);
	deny_call(SYS_msync, EIO);
	return (int)flush_once(fd, 4096);
}

/* What body returned in a child, or 128 + the signal that killed it. */
static int in_child(int (*body)(void))
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	check_in_child = child == 0;
	if (child == 0)
		_exit(body());
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_denied(void **state)
{
	static int (*const cases[])(void) = {
		setup_is_missing, setup_is_forbidden,	 setup_lacks_memory,
		use_is_forbidden, no_descriptor_is_left, no_address_space_is_left,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(in_child(cases[i]), WRITTEN_BY_TWIN);
}

static void test_twin_fails_too(void **state)
{
	(void)state;
	assert_int_equal(in_child(twin_fails_too), FAILED);
}

/* What the file says is final: no twin is asked, and the sentence names the range. */
static void test_error_of_the_file(void **state)
{
	bool used_uring = false;

	(void)state;
	assert_int_equal(flush_data(-1, 4096, 32 * MIB, &used_uring), -EBADF);
	assert_int_equal(used_uring, flush_uring_probe() == 0);
	assert_non_null(strstr(fail_reason(), "32 MiB at offset 4096"));
	assert_non_null(strstr(fail_reason(), strerror(EBADF)));
}

static void test_bad_range(void **state)
{
	bool used_uring = true;

	(void)state;
	assert_int_equal(flush_data(0, -1, 1, &used_uring), -EINVAL);
	assert_int_equal(flush_data(0, INT64_MAX, 1, &used_uring), -EINVAL);
	assert_int_equal(flush_data(0, 1, UINT64_MAX, &used_uring), -EINVAL);
	assert_int_equal(flush_data(0, 1, 0, &used_uring), 0);
	assert_false(used_uring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_twin_fails_too),
		cmocka_unit_test(test_error_of_the_file),
		cmocka_unit_test(test_bad_range),
	};

	close(disk_file(0)); /* skips here, where the exit status is ours */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
