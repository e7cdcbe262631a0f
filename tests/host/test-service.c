/* SPDX-License-Identifier: MIT */
/* mshare-host at work: huge pages while the program only waits, one helper a region, and its end.
 */
#include "helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "align.h"
#include "host.h"
#include "probe.h"

#define STARTERS 8

static size_t pmd, page;

static int needs_collapse(void **state)
{
	(void)state;
	if (!probe_thp_collapse()) {
		fprintf(stderr, "skip: this kernel makes no huge pages of filled shared memory\n");
		skip();
	}
	return 0;
}

/* A mapping that base pages fill, as where shared memory gets no huge pages when touched. */
static char *map_small(int fd, size_t size)
{
	char *addr = map_object(fd, size);

	assert_int_equal(madvise(addr, size, MADV_NOHUGEPAGE), 0);
	return addr;
}

static void fill(char *addr, size_t size)
{
	for (size_t i = 0; i < size; i += page)
		memset(addr + i, (int)(i / page % 251), page);
}

static bool is_filled(const char *addr, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (addr[i] != (char)(i / page % 251))
			return false;
	return true;
}

/* MADV_HUGEPAGE is only to undo map_small(): other processes and mappings need no advice. */
static bool becomes_huge(char *addr, size_t size)
{
	assert_int_equal(madvise(addr, size, MADV_HUGEPAGE), 0);
	return COMES_TRUE(huge_bytes(addr, size) == size, PATIENCE);
}

static void filled_becomes_huge(void **state)
{
	size_t size = 4 * pmd;
	int fd = new_object(size);
	char *addr = map_small(fd, size);
	pid_t pid;

	(void)state;
	fill(addr, size);
	assert_int_equal(huge_bytes(addr, size), 0);
	pid = serving_helper(fd, new_label());
	assert_true(becomes_huge(addr, size));
	assert_true(is_filled(addr, size));
	assert_int_equal(kill(pid, 0), 0);
	munmap(addr, size);
	sys_close(fd);
}

/* The last piece is filled: when it is huge, everything before it has been looked at. */
static void sparse_stays_sparse(void **state)
{
	size_t size = 16 * pmd;
	int fd = new_object(size);
	char *addr = map_small(fd, size);

	(void)state;
	for (size_t i = 0; i < size; i += pmd)
		addr[i + 3 * page] = 1;
	fill(addr + size - pmd, pmd);
	serving_helper(fd, new_label());
	munmap(addr, size - pmd);
	assert_true(becomes_huge(addr + size - pmd, pmd));
	pause_ms(1500);
	assert_int_equal(allocated(fd), 15 * page + pmd);
	munmap(addr + size - pmd, pmd);
	sys_close(fd);
}

static unsigned long sleeps_of(pid_t pid)
{
	char text[TEXT_MAX];

	assert_true(status_text(pid, "voluntary_ctxt_switches", text));
	return strtoul(text, NULL, 10);
}

/*
 * Until the helper has looked at its object once more, however slow the machine is: it waits some
 * seconds at most, and looks each time.
 */
static void await_a_look(pid_t pid)
{
	unsigned long enough = sleeps_of(pid) + 3;

	assert_true(COMES_TRUE(sleeps_of(pid) >= enough, 3 * PATIENCE));
}

/* The object shrinks to nothing and grows beyond what it was; the helper follows. What happens
 * between two looks it sees minutes later only. */
static void size_is_followed(void **state)
{
	int fd = new_object(2 * pmd);
	char *addr = map_small(fd, 2 * pmd);
	pid_t pid;

	(void)state;
	fill(addr, 2 * pmd);
	pid = serving_helper(fd, new_label());
	assert_true(becomes_huge(addr, 2 * pmd));
	munmap(addr, 2 * pmd);
	assert_int_equal(sys_ftruncate(fd, 0), 0);
	await_a_look(pid);
	assert_int_equal(sys_ftruncate(fd, (off_t)(5 * pmd)), 0);
	addr = map_small(fd, 5 * pmd);
	fill(addr, 5 * pmd);
	assert_true(becomes_huge(addr, 5 * pmd));
	assert_true(is_filled(addr, 5 * pmd));
	assert_int_equal(kill(pid, 0), 0);
	munmap(addr, 5 * pmd);
	sys_close(fd);
}

static void racing_starters_get_one_helper(void **state)
{
	const char *label = new_label();
	int fd = new_object(pmd), go[2];
	char byte;

	(void)state;
	assert_int_equal(host_announce(fd), 0);
	assert_int_equal(pipe(go), 0);
	for (int i = 0; i < STARTERS; i++) {
		if (fork() == 0) {
			close(go[1]);
			_exit(read(go[0], &byte, 1) ? 1 : -host_ensure(fd, label));
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0, status; i < STARTERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	assert_true(COMES_TRUE(count_helpers(label, NULL) == 1, PATIENCE));
	assert_int_equal(host_ensure(fd, label), 0);
	assert_int_equal(count_helpers(label, NULL), 1);
	sys_close(fd);
	assert_true(COMES_TRUE(count_helpers(label, NULL) == 0, PATIENCE));
}

/* A mapping is a user as long as it lasts, without any descriptor, in this process or a child. */
static void leaves_after_last_user(void **state)
{
	const char *label = new_label();
	int fd = new_object(pmd), wait_here[2];
	void *addr = map_object(fd, pmd);
	char byte;
	pid_t pid;

	(void)state;
	serving_helper(fd, label);
	assert_int_equal(pipe(wait_here), 0);
	sys_close(fd);
	pause_ms(2500);
	assert_int_equal(count_helpers(label, NULL), 1);
	pid = fork();
	if (pid == 0) {
		close(wait_here[1]);
		_exit((int)read(wait_here[0], &byte, 1));
	}
	munmap(addr, pmd);
	pause_ms(2500);
	assert_int_equal(count_helpers(label, NULL), 1);
	close(wait_here[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(wait_here[0]);
	assert_true(COMES_TRUE(count_helpers(label, NULL) == 0, PATIENCE));
}

/* While it has nothing to do it waits; what it has waited for it sees at once. Bounds that a loaded
 * machine keeps, and a helper that looks now and then does not. */
static void end_is_seen_at_once(void **state)
{
	int missed = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		int fd = new_object(pmd);
		const char *label = new_label();
		pid_t pid = serving_helper(fd, label);
		unsigned long sleeps;

		pause_ms(300);
		sleeps = sleeps_of(pid);
		pause_ms(500);
		assert_true(sleeps_of(pid) <= sleeps + 3);
		sys_close(fd);
		pause_ms(200);
		missed += count_helpers(label, NULL);
	}
	assert_true(missed <= 5); /* one that looks each second misses 8 */
}

static void killed_helper_harms_nobody(void **state)
{
	const char *label = new_label();
	int fd = new_object(2 * pmd);
	char *addr = map_small(fd, 2 * pmd);
	pid_t first = serving_helper(fd, label), second;

	(void)state;
	fill(addr, 2 * pmd);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_true(COMES_TRUE(host_present(fd) == 0, PATIENCE));
	assert_true(is_filled(addr, 2 * pmd));
	second = serving_helper(fd, label);
	assert_int_not_equal(first, second);
	assert_true(becomes_huge(addr, 2 * pmd));
	assert_true(is_filled(addr, 2 * pmd));
	munmap(addr, 2 * pmd);
	sys_close(fd);
}

static void terminates_when_told(void **state)
{
	const char *label = new_label();
	int fd = new_object(pmd);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kill(serving_helper(fd, label), i ? SIGTERM : SIGHUP), 0);
		assert_true(COMES_TRUE(host_present(fd) == 0, PATIENCE));
		assert_true(COMES_TRUE(count_helpers(label, NULL) == 0, PATIENCE));
	}
	sys_close(fd);
}

/* Whoever inherits the helper must not take its end for a crash. */
static void being_told_is_no_failure(void **state)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	int fd = fcntl(new_object(pmd), F_DUPFD_CLOEXEC, 10);
	int status;

	(void)state;
	assert_int_equal(host_announce(fd), 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			dup2(fd, HOST_FD);
			execl(host_path(), "mshare-host", new_label(), NULL);
			_exit(127);
		}
		assert_true(COMES_TRUE(host_present(fd) == 1, PATIENCE));
		assert_int_equal(kill(pid, numbers[i]), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	sys_close(fd);
}

static bool maps_object(pid_t pid)
{
	static char maps[65536];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	assert_true(sys_read_file(path, maps, sizeof(maps)) > 0);
	return strstr(maps, "memfd:test-host");
}

/* What the helper maps does not count as writable: sealing is the application's business, even at
 * the moment when the helper is at work. */
static void sealing_is_possible(void **state)
{
	size_t size = 32 * pmd;
	int fd = new_object(size);
	pid_t pid = serving_helper(fd, new_label());
	char *addr = map_small(fd, size);
	bool mapped = false;

	(void)state;
	fill(addr, size);
	munmap(addr, size);
	for (int i = 0; !mapped && i < 1000000; i++)
		mapped = maps_object(pid);
	assert_true(mapped);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	sys_close(fd);
}

static int run_by_hand(const char *argument, int fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (fd < 0)
			close(HOST_FD);
		else
			dup2(fd, HOST_FD);
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(126);
		alarm(PATIENCE); /* kept by exec: a helper that stays is a failure, not a hang */
		execl(host_path(), "mshare-host", argument, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void exit_codes(void **state)
{
	int fd = fcntl(new_object(pmd), F_DUPFD_CLOEXEC, 10);

	(void)state;
	assert_int_equal(run_by_hand("--help", -1), 0);
	assert_int_equal(run_by_hand("label", -1), 2);
	assert_int_equal(run_by_hand(NULL, -1), 2);
	assert_int_equal(run_by_hand("nobody is there", fd), 0);
	serving_helper(fd, new_label());
	assert_int_equal(run_by_hand("second", fd), 0);
	sys_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(filled_becomes_huge, needs_collapse),
		cmocka_unit_test_setup(sparse_stays_sparse, needs_collapse),
		cmocka_unit_test_setup(size_is_followed, needs_collapse),
		cmocka_unit_test(racing_starters_get_one_helper),
		cmocka_unit_test(leaves_after_last_user),
		cmocka_unit_test(end_is_seen_at_once),
		cmocka_unit_test_setup(killed_helper_harms_nobody, needs_collapse),
		cmocka_unit_test(terminates_when_told),
		cmocka_unit_test(being_told_is_no_failure),
		cmocka_unit_test_setup(sealing_is_possible, needs_collapse),
		cmocka_unit_test(exit_codes),
	};

	pmd = page_sizes()->pmd;
	page = page_sizes()->base;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
