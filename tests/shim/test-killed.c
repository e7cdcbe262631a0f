/* SPDX-License-Identifier: MIT */
/* Hosts and attached processes that are killed at any moment. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define ROUNDS 40

/* Its address space lives on as long as somebody is attached. */
static void test_host_killed(void **state)
{
	struct scene s = scene_make(SIZE);
	struct mshare_ctl_query query;
	struct host next;
	char *late;

	(void)state;
	host_kill(&s.host);
	check(COMES_TRUE(view_try_query(s.fd, READ_WRITE, &query) == -ENOENT));
	check_equal(view_attach(s.fd, READ_WRITE), -ENOENT);
	pages_check(s.at, SIZE, SCENE_SALT);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	pages_check(s.at, SIZE, SCENE_SALT);
	pages_fill(s.at, SIZE, 5);
	next = host_start(s.fd, SIZE, READ_WRITE);
	late = attach(s.fd, SIZE, READ_WRITE);
	pages_check(late, SIZE, 5);
	pages_fill(late, SIZE, 6);
	pages_check(s.at, SIZE, 6);
	check(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0);
	bytes_check_zero(s.at, SIZE);
	bytes_check_zero(late, SIZE);
	detach(late, SIZE);
	detach(s.at, SIZE);
	host_leaves(&next);
	close(s.fd);
}

/* One of its own descriptors of the view, kept over the host's end, maps nothing any more. */
static void test_descriptor_outlives_host(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	int view = view_attach(fd, READ_WRITE);

	(void)state;
	check(view >= 0);
	host_kill(&host);
	check(mmap(reserve(SIZE), SIZE, READ_WRITE, MAP_SHARED | MAP_FIXED, view, 0) == MAP_FAILED);
	check_equal(errno, ENOENT);
	close(view);
	close(fd);
}

/* Attaches, verifies, detaches until it is killed; a host may be missing at any moment. */
static void use_on_and_on(void *arg)
{
	const struct scene *s = arg;

	for (;;) {
		char *at = try_attach(s->fd, SIZE, READ_WRITE, NULL);

		check(at != MAP_FAILED || errno == ENOENT);
		if (at == MAP_FAILED)
			continue;
		pages_check(at, SIZE, SCENE_SALT);
		detach(at, SIZE);
	}
}

static void still_runs(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, WNOHANG) == 0);
}

static void test_host_killed_under_attachers(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t users[3];

	(void)state;
	srand(1);
	for (int i = 0; i < 3; i++)
		users[i] = child_start(use_on_and_on, &s);
	for (int round = 0; round < ROUNDS; round++) {
		usleep((useconds_t)(rand() % 60000));
		host_kill(&s.host);
		pages_check(s.at, SIZE, SCENE_SALT);
		usleep((useconds_t)(rand() % 2000));
		s.host = host_start(s.fd, SIZE, READ_WRITE);
	}
	for (int i = 0; i < 3; i++) {
		still_runs(users[i]);
		child_kill(users[i]);
	}
	/* This process is still with the first host. */
	check_equal(view_query(s.fd, READ_WRITE).links, 0);
	detach(s.at, SIZE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	scene_end(&s);
}

/* Killed at every step of attaching, faulting, forking and detaching. */
static void test_attached_killed(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	srand(2);
	for (int round = 0; round < 3 * ROUNDS; round++) {
		pid_t user = child_start(use_on_and_on, &s);

		usleep((useconds_t)(rand() % 20000));
		still_runs(user);
		child_kill(user);
	}
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

static void hosts_come_and_go(void *arg)
{
	const struct scene *s = arg;
	struct mapping own = { map_plain(s->fd, SIZE, READ_WRITE), SIZE, s->fd };

	detach(s->at, SIZE); /* the inherited one */
	for (;;) {
		int device = device_open();
		int err = view_create(device, s->fd, &own, READ_WRITE);

		check(err == 0 || err == -EEXIST);
		close(device);
	}
}

/* Two starters race on and on, with attachers between; who is late gets EEXIST. */
static void test_hosts_race(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t pids[4];

	(void)state;
	host_kill(&s.host);
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(i < 2 ? hosts_come_and_go : use_on_and_on, &s);
	pause_ms(4000);
	for (int i = 0; i < 4; i++) {
		still_runs(pids[i]);
		child_kill(pids[i]);
	}
	pages_check(s.at, SIZE, SCENE_SALT);
	detach(s.at, SIZE);
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	scene_end(&s);
}

#define GROUP "/sys/fs/cgroup/shim-killed"

static void limit_host(const struct host *host, const char *bytes)
{
	char pid[16];

	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	check_equal(write_text(GROUP "/memory.max", bytes), 0);
	write_text(GROUP "/memory.swap.max", "0");
	snprintf(pid, sizeof(pid), "%d", host->pid);
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
}

static void fill_beyond_limit(void *arg)
{
	pages_fill((char *)arg, 64 * MIB, 3);
	pages_check((char *)arg, 64 * MIB, 3);
}

/*
 * What is attached is charged to the host, and so is the limit the host's: the OOM killer takes it,
 * never who is attached, and the data stays.
 */
static void test_limit_of_the_host(void **state)
{
	int fd = memory_file(64 * MIB);
	struct host host = host_start(fd, 64 * MIB, READ_WRITE);
	char *at = attach(fd, 64 * MIB, READ_WRITE);
	uint64_t before;
	int status;

	(void)state;
	limit_host(&host, "16777216");
	before = counter(GROUP "/memory.events", "oom_kill");
	child_run(fill_beyond_limit, at);
	check(waitpid(host.pid, &status, 0) == host.pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check_equal(counter(GROUP "/memory.events", "oom_kill"), before + 1);
	pages_check(at, 64 * MIB, 3);
	detach(at, 64 * MIB);
	close(fd);
	check(COMES_TRUE(rmdir(GROUP) == 0));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_host_killed),
		cmocka_unit_test(test_descriptor_outlives_host),
		cmocka_unit_test(test_host_killed_under_attachers),
		cmocka_unit_test(test_attached_killed),
		cmocka_unit_test(test_hosts_race),
		cmocka_unit_test(test_limit_of_the_host),
	};

	return SHIM_MAIN(cases);
}
