/* SPDX-License-Identifier: MIT */
/*
 * What the library does on the side does not show in the program: no children, no SIGCHLD, no
 * threads, no changed signal masks.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static volatile sig_atomic_t children_ended;

static void on_sigchld(int signal)
{
	(void)signal;
	children_ended = children_ended + 1;
}

struct surroundings {
	size_t threads;
	sigset_t mask;
	char directory[4096];
	mode_t umask;
};

static struct surroundings look_around(void)
{
	struct surroundings now = { .threads = proc_threads() };

	check(sigprocmask(SIG_BLOCK, NULL, &now.mask) == 0);
	check(getcwd(now.directory, sizeof(now.directory)));
	now.umask = umask(0);
	umask(now.umask);
	return now;
}

static void nothing_has_changed(const struct surroundings *before)
{
	struct surroundings now = look_around();

	check(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
	check_equal(children_ended, 0);
	check_equal(now.threads, before->threads);
	check(memcmp(&now.mask, &before->mask, sizeof(now.mask)) == 0);
	check(strcmp(now.directory, before->directory) == 0);
	check_equal(now.umask, before->umask);
}

/* In a process of its own, without any child when it begins. */
static void use_a_region(void *arg)
{
	struct sigaction action = { .sa_handler = on_sigchld };
	struct mshare_caps caps = { .size = sizeof(caps) };
	struct surroundings before;
	mshare_t r;
	char *p;

	(void)arg;
	check(sigaction(SIGCHLD, &action, NULL) == 0);
	before = look_around();
	check(mshare_probe(&caps) == 0);
	nothing_has_changed(&before);
	r = region_make(REGION);
	p = region_attach_all(r);
	bytes_fill(p, REGION, 1);
	nothing_has_changed(&before);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE) != MAP_FAILED);
	region_stat(r, MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	nothing_has_changed(&before);
	/* Long enough for a process that was started on the side to come and go. */
	usleep(300000);
	nothing_has_changed(&before);
	region_end(r);
	nothing_has_changed(&before);
}

static void of_memory(void **state)
{
	(void)state;
	child_run(use_a_region, NULL);
}

static void flush_a_file(void *arg)
{
	struct surroundings before = look_around();
	mshare_t r;

	(void)arg;
	r = mshare_from_fd(disk_file(REGION), NULL);
	check(r);
	bytes_fill(region_attach_all(r), REGION, 2);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	nothing_has_changed(&before);
	region_end(r);
	/*
	 * Idle workers of the kernel's io_uring end after seconds; before Linux 6.18 the last one
	 * only with the thread it works for.
	 */
	for (int i = 0; i < 2000 && proc_kernel_workers() > 1; i++)
		usleep(10000);
	check(proc_kernel_workers() <= 1);
	nothing_has_changed(&before);
}

static void of_a_file(void **state)
{
	(void)state;
	if (backend_takes_files())
		child_run(flush_a_file, NULL);
}

/* A program that ignores SIGCHLD, or reaps everything it finds, is not disturbed either. */
static void ignore_children(void *arg)
{
	mshare_t r;

	(void)arg;
	check(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	r = region_make(REGION);
	bytes_fill(region_attach_all(r), REGION, 3);
	check(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
	check(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
	region_end(r);
}

static void with_children_ignored(void **state)
{
	(void)state;
	child_run(ignore_children, NULL);
}

static void leave_with(void *code)
{
	_exit(*(const int *)code);
}

/* The program's own children stay its own. */
static void with_a_child(void **state)
{
	int code = 42, status;
	pid_t pid = child_start(leave_with, &code);
	mshare_t r = region_make(REGION);

	(void)state;
	region_attach_all(r);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(waitpid(-1, &status, 0) == pid);
	check(WIFEXITED(status) && WEXITSTATUS(status) == code);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(of_memory),
		cmocka_unit_test(of_a_file),
		cmocka_unit_test(with_children_ignored),
		cmocka_unit_test(with_a_child),
	};

	return RUN_CASES(cases);
}
