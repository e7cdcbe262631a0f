/* SPDX-License-Identifier: MIT */
/*
 * A host that starts another program, or leaves, or makes its read-only range writable, under those
 * who are attached: their data stays right, and what they may only read stays so.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define ROUNDS 300

static void wait_for_somebody(const struct mapping *own)
{
	check(COMES_TRUE(view_query(own->fd, READ_WRITE).links > 0));
}

static void sleep_as_another_program(const struct mapping *own)
{
	wait_for_somebody(own);
	execl("/bin/sleep", "sleep", "1000", NULL);
	check(!"exec");
}

/*
 * The device stays open in the new program, and so does the view, of an address space it has left.
 */
static void keep_the_device(const struct mapping *own)
{
	for (int fd = 3; fd < 64; fd++)
		fcntl(fd, F_SETFD, 0);
	sleep_as_another_program(own);
}

static bool runs_sleep(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	check(comm && fgets(name, sizeof(name), comm));
	fclose(comm);
	return strcmp(name, "sleep\n") == 0;
}

/* As scene_make(), with a host that does something. */
static struct scene scene_with(host_body *body)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	s.host = host_start_with(s.fd, SIZE, READ_WRITE, body);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	pages_fill(s.at, SIZE, SCENE_SALT);
	return s;
}

static void goes_on(const struct scene *s)
{
	pages_check(s->at, SIZE, SCENE_SALT);
	check(madvise(s->at, SIZE, MADV_DONTNEED) == 0);
	pages_check(s->at, SIZE, SCENE_SALT);
	pages_check_file(s->fd, SIZE, SCENE_SALT);
}

static void test_exec(void **state)
{
	struct scene s = scene_with(sleep_as_another_program);

	(void)state;
	check(COMES_TRUE(runs_sleep(s.host.pid)));
	check_equal(view_attach(s.fd, READ_WRITE), -ENOENT);
	goes_on(&s);
	host_kill(&s.host);
	goes_on(&s);
	check(munmap(s.at, SIZE) == 0);
	close(s.fd);
}

/* What is attached for a moment keeps the address space so long. */
static bool is_gone(int fd)
{
	char *at = try_attach(fd, SIZE, READ_WRITE, NULL);

	if (at == MAP_FAILED)
		return errno == ENOENT;
	detach(at, SIZE);
	return false;
}

static void test_exec_with_the_device(void **state)
{
	struct scene s = scene_with(keep_the_device);
	char *second;

	(void)state;
	check(COMES_TRUE(runs_sleep(s.host.pid)));
	second = attach(s.fd, SIZE, READ_WRITE);
	pages_check(second, SIZE, SCENE_SALT);
	goes_on(&s);
	detach(second, SIZE);
	detach(s.at, SIZE);
	/* Nobody kept the old address space: it is gone, whatever the new program holds. */
	check(COMES_TRUE(is_gone(s.fd)));
	host_kill(&s.host);
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	pages_check(s.at, SIZE, SCENE_SALT);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void leave(const struct mapping *own)
{
	wait_for_somebody(own);
	_exit(0);
}

static void test_exit(void **state)
{
	struct scene s = scene_with(leave);

	(void)state;
	host_leaves(&s.host);
	check_equal(view_attach(s.fd, READ_WRITE), -ENOENT);
	goes_on(&s);
	check(munmap(s.at, SIZE) == 0);
	close(s.fd);
}

static atomic_bool *stop;

static void write_through_read_view(const struct mapping *own)
{
	for (int i = 0; i < ROUNDS; i++) {
		check(mprotect(own->at, SIZE, READ_WRITE) == 0);
		for (size_t page = 0; page < SIZE / PAGE; page += 16)
			*(volatile char *)(own->at + page * PAGE + PAGE - 1) = 1;
		check(mprotect(own->at, SIZE, READ_ONLY) == 0);
		pause_ms(1);
	}
	atomic_store(stop, true);
}

static sigjmp_buf bus;

static void on_bus(int number)
{
	(void)number;
	siglongjmp(bus, 1);
}

/* SIGBUS is what a host may do to who trusts it. */
static void look(const char *at)
{
	if (sigsetjmp(bus, 1) == 0)
		*(const volatile char *)at;
}

static void only_reads(void *arg)
{
	const struct scene *s = arg;
	char *at = attach(s->fd, SIZE, READ_ONLY);
	uint64_t tries = 0;
	int ends[2];

	check(signal(SIGBUS, on_bus) != SIG_ERR);
	check(pipe2(ends, O_NONBLOCK) == 0 && write(ends[1], "x", 1) == 1);
	while (!atomic_load(stop)) {
		char *to = at + tries++ % (SIZE / PAGE) * PAGE;

		check(read(ends[0], to, 1) == -1 && errno == EFAULT);
		look(to);
	}
	check(tries > 0);
}

/* Tables that are writable for a moment are at no moment those of who may only read. */
static void test_read_view_made_writable(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };
	pid_t readers[3];
	struct host host;
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);

	(void)state;
	pages_fill(plain, SIZE, SCENE_SALT);
	stop = shared_memory(PAGE);
	host = host_start_with(s.fd, SIZE, READ_ONLY, write_through_read_view);
	for (int i = 0; i < 3; i++)
		readers[i] = child_start(only_reads, &s);
	for (int i = 0; i < 3; i++)
		child_wait(readers[i]);
	pages_check(plain, SIZE, SCENE_SALT);
	host_kill(&host);
	munmap(plain, SIZE);
	munmap(stop, PAGE);
	close(s.fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_with_the_device),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_read_view_made_writable),
	};

	return SHIM_MAIN(cases);
}
