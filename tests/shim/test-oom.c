/* SPDX-License-Identifier: MIT */
/*
 * No memory left: who is attached gets what a process with an ordinary mapping would get, and who
 * is killed for it takes nobody along.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (32 * MIB)
#define LIMIT "16777216"
#define GROUP "/sys/fs/cgroup/shim-oom"

static void write_of(pid_t pid, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	check_equal(write_text(path, text), 0);
}

static void put_in_group(pid_t pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	check_equal(write_text(GROUP "/cgroup.procs", number), 0);
}

/* Without swap, so that the limit is one. */
static void group_make(bool all_at_once)
{
	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	check_equal(write_text(GROUP "/memory.max", LIMIT), 0);
	check_equal(write_text(GROUP "/memory.oom.group", all_at_once ? "1" : "0"), 0);
	if (write_text(GROUP "/memory.swap.max", "0") < 0)
		check(access(GROUP "/memory.swap.max", F_OK) < 0);
}

static void group_end(void)
{
	check(COMES_TRUE(rmdir(GROUP) == 0));
}

static void check_killed(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool still_runs(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == 0;
}

static void verify_inherited(void *arg)
{
	const struct scene *s = arg;

	for (;;)
		pages_check(s->at, SIZE, SCENE_SALT);
}

static void verify_on_and_on(void *arg)
{
	const struct scene *s = arg;
	char *at;

	detach(s->at, SIZE); /* the inherited one */
	at = attach(s->fd, SIZE, READ_WRITE);
	for (;;)
		pages_check(at, SIZE, SCENE_SALT);
}

/* By the system's own choice: who is most to blame. */
static void kill_for_memory(pid_t pid)
{
	write_of(pid, "oom_score_adj", "1000");
	check_equal(write_text("/proc/sysrq-trigger", "f"), 0);
	check_killed(pid);
}

static void test_attached_is_chosen(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t other = child_start(verify_on_and_on, &s);

	(void)state;
	for (int i = 0; i < 5; i++) {
		pid_t victim = child_start(verify_on_and_on, &s);

		check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 3));
		kill_for_memory(victim);
		check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 2));
		check(still_runs(other));
	}
	child_kill(other);
	scene_end(&s);
}

static void test_host_is_chosen(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t users[2];

	(void)state;
	for (int i = 0; i < 5; i++) {
		char *old = s.at;

		for (int j = 0; j < 2; j++)
			users[j] = child_start(verify_inherited, &s);
		check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 3));
		kill_for_memory(s.host.pid);
		pages_check(old, SIZE, SCENE_SALT);
		for (int j = 0; j < 2; j++) {
			check(still_runs(users[j]));
			child_kill(users[j]);
		}
		s.host = host_start(s.fd, SIZE, READ_WRITE);
		s.at = attach(s.fd, SIZE, READ_WRITE);
		detach(old, SIZE);
	}
	scene_end(&s);
}

static void eat(void *arg)
{
	size_t size = 256 * MIB;
	char *at = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	check(at != MAP_FAILED);
	memset(at, 1, size);
}

/* Joins the group, attaches, looks at all, and then needs more than the group may have. */
static void attach_and_eat(void *arg)
{
	const struct scene *s = arg;
	char *at;

	put_in_group(getpid());
	at = attach(s->fd, SIZE, READ_WRITE);
	pages_check(at, SIZE, SCENE_SALT);
	eat(NULL);
}

static void group_of_attached(bool all_at_once)
{
	struct scene s = scene_make(SIZE);
	pid_t friend, victim;

	group_make(all_at_once);
	friend = child_start(verify_on_and_on, &s);
	put_in_group(friend);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 2));
	victim = child_start(attach_and_eat, &s);
	check_killed(victim);
	if (all_at_once) {
		check_killed(friend);
	} else {
		check(still_runs(friend));
		child_kill(friend);
	}
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
	group_end();
}

static void test_group_of_attached(void **state)
{
	(void)state;
	group_of_attached(false);
}

static void test_whole_group_of_attached(void **state)
{
	(void)state;
	group_of_attached(true);
}

static void wait_to_be_killed(void *arg)
{
	(void)arg;
	pause();
}

static void fill(void *at)
{
	pages_fill(at, SIZE, 3);
	pages_check(at, SIZE, 3);
}

/*
 * What attached processes allocate is charged to the host, and so is the limit the host's: the OOM
 * killer takes it and, where its group goes as a whole, who is with it; never who is attached.
 */
static void limit_of_the_host(bool all_at_once)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char *at = attach(fd, SIZE, READ_WRITE);
	pid_t friend;

	group_make(all_at_once);
	put_in_group(host.pid);
	friend = child_start(wait_to_be_killed, NULL);
	put_in_group(friend);
	/* The charge that was refused is tried again while the host ends, and would hit others. */
	write_of(friend, "oom_score_adj", all_at_once ? "-999" : "-1000");
	check_equal(counter(GROUP "/memory.events", "oom_kill"), 0);
	child_run(fill, at);
	check_killed(host.pid);
	check(counter(GROUP "/memory.events", "oom_kill") >= 1);
	if (all_at_once) {
		check_killed(friend);
	} else {
		check(still_runs(friend));
		child_kill(friend);
	}
	pages_check(at, SIZE, 3);
	pages_check_file(fd, SIZE, 3);
	detach(at, SIZE);
	close(fd);
	group_end();
}

static void test_limit_of_the_host(void **state)
{
	(void)state;
	limit_of_the_host(false);
}

static void test_limit_of_the_whole_group(void **state)
{
	(void)state;
	limit_of_the_host(true);
}

/* Whoever faults waits until there is memory, as with mmap(2), and can be killed meanwhile. */
static void test_nobody_to_kill(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char *at = attach(fd, SIZE, READ_WRITE);
	pid_t impatient, patient;

	(void)state;
	group_make(false);
	write_of(host.pid, "oom_score_adj", "-1000");
	put_in_group(host.pid);
	impatient = child_start(fill, at);
	patient = child_start(fill, at);
	check(COMES_TRUE(counter(GROUP "/memory.events", "oom") > 3));
	check(still_runs(host.pid) && still_runs(impatient) && still_runs(patient));
	child_kill(impatient);
	check(still_runs(patient));
	check_equal(write_text(GROUP "/memory.max", "max"), 0);
	child_wait(patient);
	pages_check(at, SIZE, 3);
	detach(at, SIZE);
	host_leaves(&host);
	close(fd);
	group_end();
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(test_attached_is_chosen, scene_check_no_views),
		cmocka_unit_test_teardown(test_host_is_chosen, scene_check_no_views),
		cmocka_unit_test_teardown(test_group_of_attached, scene_check_no_views),
		cmocka_unit_test_teardown(test_whole_group_of_attached, scene_check_no_views),
		cmocka_unit_test_teardown(test_limit_of_the_host, scene_check_no_views),
		cmocka_unit_test_teardown(test_limit_of_the_whole_group, scene_check_no_views),
		cmocka_unit_test_teardown(test_nobody_to_kill, scene_check_no_views),
	};

	return SHIM_MAIN(cases);
}
