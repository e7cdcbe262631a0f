/* SPDX-License-Identifier: MIT */
/* host_ensure(): the helper starts unseen by the application, in every state it may be in, and has
 * nothing of the application's. */
#include "helpers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

#define OBJECT_SIZE ((size_t)1 << 20)

static atomic_int children_reported;

static void on_child(int signal)
{
	(void)signal;
	atomic_fetch_add(&children_reported, 1);
}

static int no_children_left(void)
{
	return waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD;
}

/* Starts a helper and looks for every trace that a child would leave. */
static int start_unseen(void)
{
	const char *label = new_label();
	char parent[TEXT_MAX], threads[2][TEXT_MAX];
	int fd = new_object(OBJECT_SIZE);
	pid_t pid = 0;

	CHECK(status_text(getpid(), "Threads", threads[0]));
	CHECK(host_ensure(fd, label) == 0);
	CHECK(status_text(getpid(), "Threads", threads[1]));
	CHECK(strcmp(threads[0], threads[1]) == 0);
	CHECK(no_children_left());
	CHECK(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	CHECK(count_helpers(label, &pid) == 1);
	CHECK(status_text(pid, "PPid", parent) && atoi(parent) != getpid());
	CHECK(getsid(pid) == pid);
	sys_close(fd);
	CHECK(COMES_TRUE(count_helpers(label, NULL) == 0, PATIENCE));
	CHECK(atomic_load(&children_reported) == 0);
	return 0;
}

static int start_with_handler(void)
{
	struct sigaction action = { .sa_handler = on_child };

	CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
	return start_unseen();
}

static int start_with_child_ignored(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };

	CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
	return start_unseen();
}

static int start_with_all_blocked(void)
{
	sigset_t all, pending;

	sigfillset(&all);
	CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	CHECK(start_unseen() == 0);
	CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGCHLD));
	return 0;
}

/* Who gets orphans would get the helper, and keep it as a zombie or take its end for a crash. */
static int start_where_orphans_stay(void)
{
	const char *label = new_label();
	int fd = new_object(OBJECT_SIZE);

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	CHECK(host_ensure(fd, label) == -EOPNOTSUPP);
	CHECK(strstr(host_reason(-EOPNOTSUPP), "subreaper"));
	CHECK(no_children_left() && host_present(fd) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0);
	CHECK(host_ensure(fd, label) == 0);
	CHECK(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	return 0;
}

static int start_as_first_process(void)
{
	int fd = new_object(OBJECT_SIZE);
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID)) {
		print_message("# no process numbers of one's own here\n");
		return 0;
	}
	pid = fork();
	if (pid == 0)
		_exit(getpid() != 1 || host_ensure(fd, "first") != -EOPNOTSUPP);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static atomic_bool reaper_stops;
static atomic_int reaped;

static void *reap_everything(void *unused)
{
	while (!atomic_load(&reaper_stops))
		if (waitpid(-1, NULL, WNOHANG) > 0)
			atomic_fetch_add(&reaped, 1);
	return unused;
}

static int start_beside_reaper(void)
{
	pthread_t reaper;
	int err;

	CHECK(pthread_create(&reaper, NULL, reap_everything, NULL) == 0);
	err = start_unseen();
	atomic_store(&reaper_stops, true);
	pthread_join(reaper, NULL);
	CHECK(atomic_load(&reaped) == 0);
	return err;
}

static void *start_in_thread(void *fd)
{
	return (void *)(intptr_t)host_ensure(*(int *)fd, "test-threads");
}

static int start_from_threads(void)
{
	pthread_t threads[8];
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = new_object(OBJECT_SIZE);
		CHECK(pthread_create(&threads[i], NULL, start_in_thread, &fds[i]) == 0);
	}
	for (int i = 0; i < 8; i++) {
		void *err;

		pthread_join(threads[i], &err);
		CHECK(err == NULL);
		CHECK(COMES_TRUE(host_present(fds[i]) == 1, PATIENCE));
	}
	CHECK(no_children_left());
	return 0;
}

/* Every low descriptor in turn is the region, and 3 is something else of the application's. */
static int start_from_low_descriptor(void)
{
	const char *label = new_label();
	int fd = fcntl(new_object(OBJECT_SIZE), F_DUPFD, 10);
	char text[3];

	for (int low = 0; low <= 3; low++) {
		int kept = dup(low), ends[2];

		CHECK(pipe(ends) == 0 && dup2(ends[0], 3) == 3);
		CHECK(dup2(fd, low) == low);
		CHECK(host_ensure(low, label) == 0);
		CHECK(COMES_TRUE(host_present(fd) == 1, PATIENCE));
		CHECK(low == 3 || write(ends[1], "abc", 3) == 3);
		CHECK(low == 3 || (read(3, text, 3) == 3 && memcmp(text, "abc", 3) == 0));
		kept < 0 ? close(low) : dup2(kept, low);
		close(kept);
		close(ends[0]);
		close(ends[1]);
	}
	return 0;
}

static int start_without_descriptors(void)
{
	const char *label = new_label();
	int fd = new_object(OBJECT_SIZE);
	struct rlimit none_left = { (rlim_t)fd + 1, (rlim_t)fd + 1 };

	while (dup(fd) >= 0)
		if (none_left.rlim_cur < 32)
			none_left.rlim_cur = ++none_left.rlim_max;
		else
			break;
	CHECK(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
	CHECK(dup(fd) == -1 && errno == EMFILE);
	CHECK(host_ensure(fd, label) == 0);
	CHECK(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	return 0;
}

static int start_of_nothing(void)
{
	const char *label = new_label();
	char plain[] = "/tmp/mshare-test-XXXXXX";
	int fd = new_object(OBJECT_SIZE);
	int file = mkstemp(plain);
	struct sigaction action = { .sa_handler = on_child };

	CHECK(file >= 0 && sigaction(SIGCHLD, &action, NULL) == 0);
	CHECK(setenv("MSHARE_HOST", "/nonexistent/mshare-host", 1) == 0);
	errno = EXDEV;
	CHECK(host_ensure(fd, label) == -ENOENT);
	CHECK(errno == EXDEV); /* no help is no failure of the call that asked for it */
	CHECK(setenv("MSHARE_HOST", plain, 1) == 0);
	CHECK(host_ensure(fd, label) == -EACCES);
	unlink(plain);
	CHECK(no_children_left());
	CHECK(atomic_load(&children_reported) == 0);
	CHECK(host_present(fd) == 0 && count_helpers(label, NULL) == 0);
	return 0;
}

/* The helper keeps nobody's pipe open: who reads a program's output sees its end. */
static int start_with_output_read(void)
{
	const char *label = new_label();
	int fd = new_object(OBJECT_SIZE);
	int ends[2];
	pid_t pid;
	char byte;

	CHECK(host_announce(fd) == 0 && pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		_exit(-host_ensure(fd, label));
	}
	close(ends[1]);
	alarm(PATIENCE);
	CHECK(read(ends[0], &byte, 1) == 0);
	CHECK(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	CHECK(count_helpers(label, NULL) == 1);
	return 0;
}

static int foreign_files(pid_t pid)
{
	char path[64], link[TEXT_MAX], target[TEXT_MAX];
	int foreign = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		ssize_t length;

		snprintf(link, sizeof(link), "%s/%.20s", path, e->d_name);
		length = readlink(link, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		if (length > 0 && strcmp(target, "/dev/null") && !strstr(target, "memfd:test-host"))
			foreign++;
	}
	if (dir)
		closedir(dir);
	return dir ? foreign : -1;
}

static int helper_has_nothing(void)
{
	static const char *const empty[] = { "CapInh", "CapPrm", "CapEff", "CapAmb", "SigBlk" };
	char environment[TEXT_MAX], text[TEXT_MAX], path[64];
	int fd = new_object(OBJECT_SIZE);
	pid_t pid;

	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR && setenv("LD_LIBRARY_PATH", "/nowhere", 1) == 0);
	pid = serving_helper(fd, new_label());
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		CHECK(status_text(pid, empty[i], text));
		CHECK(strspn(text, "0") == strlen(text));
	}
	/* Signals above 31 are the C library's own. */
	CHECK(status_text(pid, "SigIgn", text) && !(strtoull(text, NULL, 16) & 0x7fffffff));
	CHECK(status_text(pid, "CapBnd", text));
	CHECK(geteuid() != 0 || strspn(text, "0") == strlen(text));
	CHECK(status_text(pid, "NoNewPrivs", text) && strcmp(text, "1") == 0);
	CHECK(status_text(pid, "Threads", text) && strcmp(text, "1") == 0);
	CHECK(foreign_files(pid) == 0);
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	CHECK(sys_read_file(path, environment, sizeof(environment)) > 0);
	CHECK(strncmp(environment, "MSHARE_", 7) == 0 && !memmem(environment, TEXT_MAX, "LD_", 3));
	return 0;
}

/* A helper that is stopped, and a timer that is faster than the time it is given. */
static int wait_under_signals(void)
{
	const struct itimerval each = { { 0, 10000 }, { 0, 10000 } };
	const struct sigaction action = { .sa_handler = on_child };
	int ends[2];
	char byte;

	CHECK(sys_pipe(ends) == 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &each, NULL) == 0);
	CHECK(sys_read_byte(ends[0], &byte, 200) == -ETIMEDOUT);
	CHECK(sys_write_byte(ends[1], 7) == 0);
	CHECK(sys_read_byte(ends[0], &byte, 200) == 1 && byte == 7);
	return 0;
}

/* The program runs at a priority of its own if it may. */
static int helper_stands_back(void)
{
	const struct sched_param above = { .sched_priority = 1 };
	pid_t pid;

	if (sched_setscheduler(0, SCHED_FIFO, &above))
		print_message("# no right to a real-time policy\n");
	pid = serving_helper(new_object(OBJECT_SIZE), new_label());
	CHECK(sched_getscheduler(pid) == SCHED_BATCH);
	return 0;
}

#define CHILD_TEST(function)                                                                       \
	static void test_##function(void **state)                                                  \
	{                                                                                          \
		(void)state;                                                                       \
		in_child(function);                                                                \
	}
CHILD_TEST(start_unseen)
CHILD_TEST(start_with_handler)
CHILD_TEST(start_with_child_ignored)
CHILD_TEST(start_with_all_blocked)
CHILD_TEST(start_where_orphans_stay)
CHILD_TEST(start_as_first_process)
CHILD_TEST(start_beside_reaper)
CHILD_TEST(start_from_threads)
CHILD_TEST(start_from_low_descriptor)
CHILD_TEST(start_without_descriptors)
CHILD_TEST(start_of_nothing)
CHILD_TEST(start_with_output_read)
CHILD_TEST(helper_has_nothing)
CHILD_TEST(wait_under_signals)
CHILD_TEST(helper_stands_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_unseen),
		cmocka_unit_test(test_start_with_handler),
		cmocka_unit_test(test_start_with_child_ignored),
		cmocka_unit_test(test_start_with_all_blocked),
		cmocka_unit_test(test_start_where_orphans_stay),
		cmocka_unit_test(test_start_as_first_process),
		cmocka_unit_test(test_start_beside_reaper),
		cmocka_unit_test(test_start_from_threads),
		cmocka_unit_test(test_start_from_low_descriptor),
		cmocka_unit_test(test_start_without_descriptors),
		cmocka_unit_test(test_start_of_nothing),
		cmocka_unit_test(test_start_with_output_read),
		cmocka_unit_test(test_helper_has_nothing),
		cmocka_unit_test(test_wait_under_signals),
		cmocka_unit_test(test_helper_stands_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
