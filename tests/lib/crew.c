/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "object.h"
#include "proc.h"

/* One order at a time, to all. Answers are valid when `done` of each is the order's number. */
struct crew_board {
	atomic_uint order;
	bool leave;
	bool write;
	size_t off;
	struct {
		atomic_uint done;
		int signal;
	} hands[CREW_MAX];
};

static sigjmp_buf back;

static void on_signal(int number)
{
	siglongjmp(back, number);
}

static uninstrumented void touch(volatile char *at, bool write)
{
	char byte = *at;

	if (write)
		*at = byte;
}

int access_signal(void *at, bool write)
{
	struct sigaction ours = { .sa_handler = on_signal }, segv, bus;
	int number;

	check(sigaction(SIGSEGV, &ours, &segv) == 0 && sigaction(SIGBUS, &ours, &bus) == 0);
	number = sigsetjmp(back, 1);
	if (number == 0)
		touch(at, write);
	check(sigaction(SIGSEGV, &segv, NULL) == 0 && sigaction(SIGBUS, &bus, NULL) == 0);
	return number;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){ 0, 200000 }, NULL);
}

struct hand {
	struct crew_board *board;
	int number;
	int fd;
	int prot;
};

static void serve(void *arg)
{
	const struct hand *hand = arg;
	struct crew_board *board = hand->board;
	mshare_t r = mshare_from_fd(hand->fd, NULL);
	char *p;

	check(r);
	p = mshare_attach(r, NULL, 0, region_size(r), hand->prot, 0);
	check(p != MAP_FAILED);
	for (unsigned int done = 0;; done++) {
		atomic_store(&board->hands[hand->number].done, done);
		while (atomic_load(&board->order) == done)
			pause_shortly();
		if (board->leave)
			return;
		board->hands[hand->number].signal = access_signal(p + board->off, board->write);
	}
}

static void await_all(const struct crew *crew, unsigned int order)
{
	for (int i = 0; i < crew->size; i++)
		while (atomic_load(&crew->board->hands[i].done) != order)
			pause_shortly();
}

struct crew crew_start(mshare_t r, int size, int prot)
{
	struct crew crew = { .size = size };

	check(size <= CREW_MAX);
	crew.board = mmap(NULL, sizeof(*crew.board), READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(crew.board != MAP_FAILED);
	for (int i = 0; i < size; i++) {
		struct hand hand = { crew.board, i, mshare_fd(r), prot };

		atomic_store(&crew.board->hands[i].done, UINT_MAX);
		crew.pids[i] = child_start(serve, &hand);
	}
	await_all(&crew, 0);
	return crew;
}

static void order_touch(const struct crew *crew, size_t off, bool write)
{
	unsigned int order = atomic_load(&crew->board->order) + 1;

	crew->board->off = off;
	crew->board->write = write;
	atomic_store(&crew->board->order, order);
	await_all(crew, order);
}

void crew_touch(const struct crew *crew, size_t off, bool write, int signal)
{
	order_touch(crew, off, write);
	for (int i = 0; i < crew->size; i++)
		check_equal(crew->board->hands[i].signal, signal);
}

int crew_signal(const struct crew *crew, size_t off, bool write)
{
	order_touch(crew, off, write);
	for (int i = 1; i < crew->size; i++)
		check_equal(crew->board->hands[i].signal, crew->board->hands[0].signal);
	return crew->board->hands[0].signal;
}

void crew_end(struct crew *crew)
{
	crew->board->leave = true;
	atomic_fetch_add(&crew->board->order, 1);
	for (int i = 0; i < crew->size; i++)
		child_wait(crew->pids[i]);
	munmap(crew->board, sizeof(*crew->board));
}

void crew_kill(struct crew *crew)
{
	for (int i = 0; i < crew->size; i++)
		child_kill_running(crew->pids[i]);
	munmap(crew->board, sizeof(*crew->board));
}
