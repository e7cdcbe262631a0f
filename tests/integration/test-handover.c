/* SPDX-License-Identifier: MIT */
/*
 * mshare_handover(): the host process changes its control group, nobody else does. Where no process
 * hosts page tables, it is refused. Who is charged: tests/shim/test-handover.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "crew.h"
#include "object.h"

#define REGION (4 * pmd_size())
#define GROUP "/sys/fs/cgroup/mshare-test-handover"
#define NO_PROCESS 0x3fffffff /* more than the kernel gives out */

static bool is_hosted(void)
{
	return backend_is(MSHARE_BACKEND_SHIM);
}

/* The path that /proc says, as "0::/path". */
static void group_of(pid_t pid, char *text, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	check(file && fgets(text, (int)size, file));
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

static void check_group(pid_t pid, const char *wanted)
{
	char text[256];

	group_of(pid, text, sizeof(text));
	if (strcmp(text, wanted) != 0)
		fprintf(stderr, "process %d is in %s, not in %s\n", pid, text, wanted);
	check(strcmp(text, wanted) == 0);
}

static void enter(void *unused)
{
	int fd = open(GROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

	(void)unused;
	check(fd >= 0 && write(fd, "0", 1) == 1);
	close(fd);
	pause();
}

/* A process in a group of its own. */
static pid_t heir_start(void)
{
	pid_t pid;
	char text[256];

	check(mkdir(GROUP, 0755) == 0);
	pid = child_start(enter, NULL);
	do {
		usleep(1000);
		group_of(pid, text, sizeof(text));
	} while (strcmp(text, "0::/mshare-test-handover") != 0);
	return pid;
}

static void heir_end(pid_t pid)
{
	child_kill(pid);
	while (rmdir(GROUP) != 0) {
		check(errno == EBUSY); /* the host has not left yet */
		usleep(10000);
	}
}

static void refused_elsewhere(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 2, READ_WRITE);

	(void)state;
	if (!is_hosted()) {
		check_refused(mshare_handover(r, 0) == -1, EOPNOTSUPP);
		check(strstr(mshare_errmsg(), "charged to whoever touches it first"));
		check(strstr(mshare_errmsg(), backend_name()));
		check_refused(mshare_handover(r, getppid()) == -1, EOPNOTSUPP);
		check_equal(region_stat(r, 0).host_pid, 0);
	}
	crew_touch(&crew, 0, true, 0);
	crew_end(&crew);
	region_end(r);
}

static void moves_the_host_only(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 2, READ_WRITE);
	pid_t heir, host;

	(void)state;
	if (is_hosted()) {
		char own[256];

		group_of(getpid(), own, sizeof(own));
		heir = heir_start();
		host = region_stat(r, 0).host_pid;
		check(host > 0 && host != getpid());
		check_group(host, own);
		check(mshare_handover(r, heir) == 0);
		check_group(host, "0::/mshare-test-handover");
		check_group(crew.pids[0], own);
		check_group(getpid(), own);
		crew_touch(&crew, REGION - 1, true, 0);
		check_equal(region_stat(r, 0).host_pid, host);
		check(mshare_handover(r, heir) == 0); /* again: nothing changes */
		check_group(host, "0::/mshare-test-handover");
		check(mshare_handover(r, 0) == 0);
		check_group(host, own);
		heir_end(heir);
	}
	crew_end(&crew);
	region_end(r);
}

/* Before anybody has attached: the first one finds the host in the group. */
static void with_nobody_attached(void **state)
{
	mshare_t r = region_make(REGION);
	pid_t heir;
	char *p;

	(void)state;
	if (is_hosted()) {
		heir = heir_start();
		check_equal(region_stat(r, 0).host_pid, 0);
		check(mshare_handover(r, heir) == 0);
		p = region_attach_all(r);
		bytes_fill(p, REGION, 7);
		check(region_stat(r, 0).flags & MSHARE_STAT_F_SHARED_TABLES);
		check_group(region_stat(r, 0).host_pid, "0::/mshare-test-handover");
		bytes_check(p, REGION, 7);
		check(mshare_detach(r, p, REGION) == 0);
		heir_end(heir);
	}
	region_end(r);
}

/* The object is what counts, not what this process would have attached. */
static void by_a_handle_of_another_backend(void **state)
{
	mshare_t r = region_make(REGION), other;
	char *p = region_attach_all(r);
	pid_t heir, host;

	(void)state;
	if (is_hosted()) {
		heir = heir_start();
		host = region_stat(r, 0).host_pid;
		check(setenv("MSHARE_BACKEND", "plain", 1) == 0);
		other = mshare_from_fd(mshare_fd(r), NULL);
		check(setenv("MSHARE_BACKEND", "shim", 1) == 0);
		check(other && region_stat(other, 0).backend == MSHARE_BACKEND_PLAIN);
		check(mshare_handover(other, heir) == 0);
		check_group(host, "0::/mshare-test-handover");
		region_end(other);
		check(mshare_detach(r, p, REGION) == 0);
		heir_end(heir);
	}
	region_end(r);
}

static void leave_at_once(void *unused)
{
	(void)unused;
}

static void of_no_process(void **state)
{
	mshare_t r = region_make(REGION);
	pid_t gone = child_start(leave_at_once, NULL);
	char *p = region_attach_all(r);

	(void)state;
	child_wait(gone);
	if (is_hosted()) {
		check_refused(mshare_handover(r, gone) == -1, ESRCH);
		check_refused(mshare_handover(r, NO_PROCESS) == -1, ESRCH);
	}
	check_refused(mshare_handover(r, -1) == -1, EINVAL);
	p[0] = 1;
	region_end(r);
}

static void enter_and_end(void *unused)
{
	int fd = open(GROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

	(void)unused;
	check(fd >= 0 && write(fd, "0", 1) == 1);
}

/* Not yet waited for, so that it is still there, in a group that has become another one. */
static void of_a_process_that_has_ended(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	siginfo_t info;
	pid_t pid;
	int fd;

	(void)state;
	if (is_hosted()) {
		check(mkdir(GROUP, 0755) == 0);
		pid = child_start(enter_and_end, NULL);
		check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
		fd = open(GROUP "/cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
		check(fd >= 0 && write(fd, "+memory", 7) == 7);
		close(fd);
		check_refused(mshare_handover(r, pid) == -1, EBUSY);
		check(rmdir(GROUP) == 0);
		check_refused(mshare_handover(r, pid) == -1, ESRCH);
		child_wait(pid);
	}
	p[0] = 1;
	region_end(r);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION), reader = region_reopen(r, O_RDONLY);

	(void)state;
	check_refused(mshare_handover(reader, 0) == -1, EACCES);
	region_end(reader);
	region_end(r);
	check_refused(mshare_handover(r, 0) == -1, EBADF);
	check_refused(mshare_handover(NULL, 0) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(refused_elsewhere),
		cmocka_unit_test(moves_the_host_only),
		cmocka_unit_test(with_nobody_attached),
		cmocka_unit_test(by_a_handle_of_another_backend),
		cmocka_unit_test(of_no_process),
		cmocka_unit_test(of_a_process_that_has_ended),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
