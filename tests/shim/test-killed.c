/* SPDX-License-Identifier: MIT */
/* Hosts and attached processes that are killed at any moment. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
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

static sigjmp_buf bus;

static void on_bus(int number)
{
	(void)number;
	siglongjmp(bus, 1);
}

/* The host may also unmap what it hosts. */
static void use_or_lose(void *arg)
{
	const struct scene *s = arg;

	signal(SIGBUS, on_bus);
	for (;;) {
		char *at = try_attach(s->fd, SIZE, READ_WRITE, NULL);

		check(at != MAP_FAILED || errno == ENOENT);
		if (at == MAP_FAILED)
			continue;
		if (!sigsetjmp(bus, 1))
			pages_check(at, SIZE, SCENE_SALT);
		detach(at, SIZE);
	}
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
	for (int i = 0; i < 3; i++)
		child_kill_running(users[i]);
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
		child_kill_running(user);
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
	for (int i = 0; i < 4; i++)
		child_kill_running(pids[i]);
	pages_check(s.at, SIZE, SCENE_SALT);
	detach(s.at, SIZE);
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	scene_end(&s);
}

/* All that an attached process does, once, quickly. */
static void use_once(void *arg)
{
	const struct scene *s = arg;
	char *at = attach(s->fd, SIZE, READ_WRITE);
	pid_t pid;

	pages_check(at, SIZE, SCENE_SALT);
	check(madvise(at, SIZE, MADV_DONTNEED) == 0);
	check(madvise(at, SIZE, MADV_POPULATE_WRITE) == 0);
	pid = fork();
	if (pid == 0) {
		pages_check(at, SIZE, SCENE_SALT);
		_exit(0);
	}
	check(pid > 0 && waitpid(pid, NULL, 0) == pid);
	detach(at, SIZE);
}

/* A host of its own file, from its beginning to its end. */
static void host_once(void *arg)
{
	const struct scene *s = arg;
	struct mapping own = { map_plain(s->fd, SIZE, READ_WRITE), SIZE, s->fd };
	int device = device_open();

	check_equal(view_create(device, s->fd, &own, READ_WRITE), 0);
	pages_check(own.at, SIZE, SCENE_SALT);
	check(munmap(own.at, SIZE) == 0);
	close(device);
}

struct traced {
	child_body *body;
	void *arg;
};

static void be_traced(void *arg)
{
	const struct traced *t = arg;

	check(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
	check(raise(SIGSTOP) == 0);
	t->body(t->arg);
}

/*
 * Kills a process at its stop number n, which are before and after each system call; false: it has
 * ended before.
 */
static bool killed_at(struct traced *what, unsigned int n)
{
	pid_t pid = child_start(be_traced, what);
	int status;

	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	for (unsigned int i = 0; i < n; i++) {
		check(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0);
		check(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status)) {
			check_equal(WEXITSTATUS(status), 0);
			return false;
		}
	}
	child_kill(pid);
	return true;
}

static void test_killed_at_each_call(void **state)
{
	struct scene s = scene_make(SIZE);
	struct traced user = { use_once, &s };
	unsigned int n = 0;

	(void)state;
	while (killed_at(&user, n))
		n++;
	print_message("%u stops\n", n);
	check(n > 20);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

/* The same with a host, under one who attaches whenever there is something to attach to. */
static void test_host_killed_at_each_call(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);
	struct traced host = { host_once, &s };
	unsigned int n = 0;
	pid_t user;

	(void)state;
	pages_fill(plain, SIZE, SCENE_SALT);
	user = child_start(use_or_lose, &s);
	while (killed_at(&host, n))
		n++;
	print_message("%u stops\n", n);
	check(n > 10);
	child_kill_running(user);
	pages_check(plain, SIZE, SCENE_SALT);
	munmap(plain, SIZE);
	close(s.fd);
}

static void populate_on_and_on(void *arg)
{
	const struct scene *s = arg;
	char *at = attach(s->fd, SIZE, READ_WRITE);

	for (;;) {
		check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0);
		if (madvise(at, SIZE, MADV_POPULATE_WRITE) < 0)
			check(errno == EFAULT || errno == ENOMEM || errno == EINTR);
	}
}

/* In faults, of which each has the host allocate, while another takes it all away. */
static void test_killed_in_faults(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t other = child_start(populate_on_and_on, &s);

	(void)state;
	srand(3);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t user = child_start(populate_on_and_on, &s);

		usleep((useconds_t)(rand() % 20000));
		child_kill_running(user);
	}
	child_kill_running(other);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(test_host_killed, scene_check_no_views),
		cmocka_unit_test_teardown(test_descriptor_outlives_host, scene_check_no_views),
		cmocka_unit_test_teardown(test_host_killed_under_attachers, scene_check_no_views),
		cmocka_unit_test_teardown(test_attached_killed, scene_check_no_views),
		cmocka_unit_test_teardown(test_hosts_race, scene_check_no_views),
		cmocka_unit_test_teardown(test_killed_at_each_call, scene_check_no_views),
		cmocka_unit_test_teardown(test_host_killed_at_each_call, scene_check_no_views),
		cmocka_unit_test_teardown(test_killed_in_faults, scene_check_no_views),
	};

	return SHIM_MAIN(cases);
}
