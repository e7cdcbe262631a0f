/* SPDX-License-Identifier: MIT */
/*
 * MSHARE_CTL_ASK, NEXT and ANSWER: who may ask, what is handed over, and what becomes of it when
 * one of the two is stopped or killed. And views that are replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * SLOT)
#define BOTH (MSHARE_VIEW_READ | MSHARE_VIEW_WRITE)
#define SILENCE 12345 /* asks for an answer that never comes */

/* An errno, or what is asked about. */
static int answer_to(const struct mshare_ctl_next *next)
{
	if (next->argument == SILENCE)
		for (;;)
			pause();
	if (next->off != SLOT || next->len != 2 * SLOT)
		return -ENXIO;
	return -(int)next->argument;
}

struct asked_host {
	int fd;
	int besides; /* that it maps as anybody may, if not -1 */
	struct signpost ready;
};

static void host_and_answer(void *arg)
{
	struct asked_host *h = arg;
	struct mapping own = { map_plain(h->fd, SIZE, READ_WRITE), SIZE, h->fd };
	int device = device_open();

	if (h->besides != -1)
		map_plain(h->besides, SIZE, READ_WRITE);
	check_equal(view_create(device, h->fd, &own, READ_WRITE), 0);
	signpost_raise(&h->ready);
	for (;;) {
		struct mshare_ctl_next next = { .size = sizeof(next), .linger_ms = 60000 };
		struct mshare_ctl_answer answer = { .size = sizeof(answer) };

		if (ioctl(device, MSHARE_CTL_NEXT, &next)) {
			check(errno == EINTR); /* it was stopped */
			continue;
		}
		if (!next.operation)
			return;
		answer.id = next.id;
		answer.error = answer_to(&next);
		check(ioctl(device, MSHARE_CTL_ANSWER, &answer) == 0 || errno == ENOENT);
	}
}

static pid_t start_host_with(int fd, int besides)
{
	struct asked_host h = { .fd = fd, .besides = besides };
	pid_t pid;

	signpost_make(&h.ready);
	pid = child_start(host_and_answer, &h);
	signpost_await(&h.ready);
	signpost_close(&h.ready);
	return pid;
}

static pid_t start_host(int fd)
{
	return start_host_with(fd, -1);
}

static int ask(int fd, uint32_t operation, uint32_t argument, uint32_t timeout_ms)
{
	struct mshare_ctl_ask a = {
		.size = sizeof(a),
		.fd = fd,
		.prot = BOTH,
		.operation = operation,
		.argument = argument,
		.off = SLOT,
		.len = 2 * SLOT,
		.timeout_ms = timeout_ms,
	};

	return device_call(MSHARE_CTL_ASK, &a);
}

static int advise(int fd, uint32_t argument)
{
	return ask(fd, MSHARE_ASK_ADVISE, argument, 60000);
}

static void test_answers(void **state)
{
	int fd = memory_file(SIZE);
	pid_t host = start_host(fd);

	(void)state;
	check_equal(advise(fd, 0), 0);
	check_equal(advise(fd, EDOM), -EDOM);
	check_equal(advise(fd, 4095), -4095);
	child_kill(host);
	check_equal(advise(fd, 0), -ENOENT);
	close(fd);
}

/* Stopped when this returns: a signal takes its time. */
static void stop_host(pid_t host)
{
	int status;

	check(kill(host, SIGSTOP) == 0);
	check(waitpid(host, &status, WUNTRACED) == host && WIFSTOPPED(status));
}

static void test_host_is_stopped(void **state)
{
	int fd = memory_file(SIZE);
	pid_t host = start_host(fd);

	(void)state;
	stop_host(host);
	check_equal(ask(fd, MSHARE_ASK_ADVISE, 0, 100), -ETIMEDOUT);
	check(kill(host, SIGCONT) == 0);
	check_equal(advise(fd, EDOM), -EDOM);
	check_equal(ask(fd, MSHARE_ASK_ADVISE, SILENCE, 100), -ETIMEDOUT);
	child_kill(host);
	close(fd);
}

struct asker {
	int fd;
	int expected;
};

static void ask_for_silence(void *arg)
{
	const struct asker *a = arg;

	check_equal(ask(a->fd, MSHARE_ASK_ADVISE, SILENCE, 600000), a->expected);
}

/* One has been taken, the others wait: all are told. */
static void test_host_is_killed(void **state)
{
	struct asker asker = { memory_file(SIZE), -EPIPE };
	pid_t host = start_host(asker.fd);
	pid_t pids[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(ask_for_silence, &asker);
	pause_ms(200);
	child_kill(host);
	for (int i = 0; i < 4; i++)
		child_wait(pids[i]);
	close(asker.fd);
}

/* What was taken is answered in vain, what was not is not handed over. */
static void test_asker_is_killed(void **state)
{
	struct asker asker = { memory_file(SIZE), 0 };
	pid_t host = start_host(asker.fd);
	pid_t pids[2];

	(void)state;
	stop_host(host);
	for (int i = 0; i < 2; i++)
		pids[i] = child_start(ask_for_silence, &asker);
	pause_ms(200);
	for (int i = 0; i < 2; i++)
		child_kill(pids[i]);
	check(kill(host, SIGCONT) == 0);
	check_equal(advise(asker.fd, EDOM), -EDOM);
	child_kill(host);
	close(asker.fd);
}

static void test_protection_is_for_all(void **state)
{
	int fd = memory_file(SIZE);
	pid_t host = start_host(fd);
	char *at, *plain;

	(void)state;
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), -ENOTCONN);
	at = attach(fd, SIZE, READ_WRITE);
	check(madvise(at, SIZE, MADV_DONTFORK) == 0); /* who is attached cannot host */
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), 0);
	plain = map_plain(fd, SIZE, PROT_READ);
	check_equal(ask(fd, MSHARE_ASK_PROTECT, MSHARE_VIEW_READ, 1000), -EPERM); /* is 1 */
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), -EBUSY);
	check(munmap(plain + SLOT, 2 * SLOT) == 0); /* beside it is no hindrance */
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), 0);
	munmap(plain, SIZE);
	child_kill(host);
	host = start_host(fd);
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), -EBUSY);
	check_equal(ask(fd, MSHARE_ASK_PROTECT, BOTH, 1000), -EBUSY);
	detach(at, SIZE);
	check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), -ENOTCONN);
	child_kill(host);
	close(fd);
}

/* Whoever hosts another file has no right to this one for that. */
static void test_protection_is_for_other_hosts(void **state)
{
	int fd = memory_file(SIZE), other = memory_file(SIZE);
	pid_t host = start_host(fd), stranger = start_host_with(other, fd);
	char *at = attach(fd, SIZE, READ_WRITE);

	(void)state;
	check_equal(ask(fd, MSHARE_ASK_PROTECT, MSHARE_VIEW_READ, 1000), -EBUSY);
	child_kill(stranger);
	check_equal(ask(fd, MSHARE_ASK_PROTECT, MSHARE_VIEW_READ, 1000), -EPERM); /* is 1 */
	detach(at, SIZE);
	child_kill(host);
	close(other);
	close(fd);
}

/* What is left of a host that was killed goes a little after the last who was attached. */
static void test_remains_are_no_hindrance(void **state)
{
	int fd = memory_file(SIZE);

	(void)state;
	for (int i = 0; i < 30; i++) {
		pid_t host = start_host(fd);
		char *at = attach(fd, SIZE, READ_WRITE);

		check(madvise(at, SIZE, MADV_DONTFORK) == 0);
		memset(at, i, SIZE);
		child_kill(host);
		host = start_host(fd);
		detach(at, SIZE);
		check_equal(ask(fd, MSHARE_ASK_PROTECT, 0, 1000), -ENOTCONN);
		child_kill(host);
	}
	close(fd);
}

static void test_who_may_ask(void **state)
{
	int fd = memory_file(SIZE);
	pid_t host = start_host(fd);
	struct mshare_ctl_ask a = { .size = sizeof(a), .prot = BOTH, .len = SLOT };

	(void)state;
	a.fd = file_reopen(fd, O_RDONLY);
	a.operation = MSHARE_ASK_ADVISE;
	check_equal(device_call(MSHARE_CTL_ASK, &a), -EACCES);
	a.prot = MSHARE_VIEW_READ;
	check_equal(device_call(MSHARE_CTL_ASK, &a), -ENOENT);
	close(a.fd);
	a.fd = fd;
	a.prot = BOTH;
	a.operation = 0;
	check_equal(device_call(MSHARE_CTL_ASK, &a), -EINVAL);
	a.operation = MSHARE_ASK_ADVISE;
	a.len = 0;
	check_equal(device_call(MSHARE_CTL_ASK, &a), -EINVAL);
	a.off = UINT64_MAX;
	a.len = 2;
	check_equal(device_call(MSHARE_CTL_ASK, &a), -EINVAL);
	child_kill(host);
	close(fd);
}

static int create(int device, const struct mapping *own, uint32_t flags)
{
	struct mshare_ctl_create arg = { sizeof(arg),	     flags,    own->fd, BOTH,
					 (uintptr_t)own->at, own->size };

	return ioctl(device, MSHARE_CTL_CREATE, &arg) ? -errno : 0;
}

struct two_views {
	int fd;
	struct signpost first, attached, second;
};

static void replace(void *arg)
{
	struct two_views *v = arg;
	struct mapping small = { map_plain(v->fd, SIZE, READ_WRITE), SIZE, v->fd };
	struct mapping large = { map_plain(v->fd, 2 * SIZE, READ_WRITE), 2 * SIZE, v->fd };
	int device = device_open(), other = device_open();

	check_equal(create(device, &small, 0), 0);
	signpost_raise(&v->first);
	signpost_await(&v->attached);
	check_equal(create(device, &large, 0), -EEXIST);
	check_equal(create(other, &large, MSHARE_CREATE_REPLACE), -EEXIST);
	check(mprotect(large.at + SLOT, PAGE, PROT_READ) == 0);
	check_equal(create(device, &large, MSHARE_CREATE_REPLACE), 0);
	signpost_raise(&v->second);
	for (;;)
		pause();
}

/* What is attached by the view that was replaced is smaller, and reached as well. */
static void flush_both(int fd)
{
	struct mshare_ctl_flush flush = { .size = sizeof(flush), .fd = fd, .prot = BOTH };

	check_equal(view_query(fd, READ_WRITE).entries, 2 * SIZE / SLOT);
	flush.off = SIZE - SLOT;
	flush.len = 2 * SLOT;
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
	check_equal(view_query(fd, READ_WRITE).entries, 2 * SIZE / SLOT - 2);
	flush.off = SIZE;
	flush.len = SIZE + SLOT;
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), -EINVAL);
	flush.off = 0;
	flush.len = 2 * SIZE;
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
	check_equal(view_query(fd, READ_WRITE).entries, 0);
}

/* Who is attached stays so, in the old one; the new one is larger, and as the host has made it. */
static void test_replaced_view(void **state)
{
	struct two_views v = { .fd = memory_file(2 * SIZE) };
	char *before, *after;
	pid_t host;

	(void)state;
	signpost_make(&v.first);
	signpost_make(&v.attached);
	signpost_make(&v.second);
	host = child_start(replace, &v);
	signpost_await(&v.first);
	before = attach(v.fd, SIZE, READ_WRITE);
	pages_fill(before, SIZE, 1);
	check(try_attach(v.fd, 2 * SIZE, READ_WRITE, reserve(2 * SIZE)) == MAP_FAILED);
	check_equal(errno, ENXIO);
	signpost_raise(&v.attached);
	signpost_await(&v.second);
	after = attach(v.fd, 2 * SIZE, READ_WRITE);
	check_equal(view_query(v.fd, READ_WRITE).links, 2);
	pages_check(after, SIZE, 1);
	pages_fill(before, SIZE, 2);
	pages_check(after, SIZE, 2);
	flush_both(v.fd);
	detach(after, 2 * SIZE);
	pages_check(before, SIZE, 2);
	child_kill(host);
	pages_check(before, SIZE, 2);
	detach(before, SIZE);
	close(v.fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_host_is_stopped),
		cmocka_unit_test(test_host_is_killed),
		cmocka_unit_test(test_asker_is_killed),
		cmocka_unit_test(test_protection_is_for_all),
		cmocka_unit_test(test_protection_is_for_other_hosts),
		cmocka_unit_test(test_remains_are_no_hindrance),
		cmocka_unit_test(test_who_may_ask),
		cmocka_unit_test_teardown(test_replaced_view, scene_check_no_views),
	};

	return SHIM_MAIN(cases);
}
