/* SPDX-License-Identifier: MIT */
#include "spin.h"

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define SPINNERS 3
#define SIGHT_MASK 3

unsigned int spin_rounds = 40;

struct board {
	_Atomic uint64_t state; /* changed after the file has been */
	_Atomic uint64_t changing;
	_Atomic uint64_t seen[SPINNERS]; /* the last state looked at and found right */
};

struct spinner {
	const struct scene *scene;
	struct board *board;
	size_t off;
	int number;
};

static sigjmp_buf bus;

static void on_bus(int number)
{
	(void)number;
	siglongjmp(bus, 1);
}

/* True: there was a page, and *word is what it held. */
static bool look(const volatile uint64_t *at, uint64_t *word)
{
	if (sigsetjmp(bus, 1))
		return false;
	*word = *at;
	return true;
}

static void judge(uint64_t state, bool there, uint64_t word)
{
	check_equal(there, (state & SIGHT_MASK) != NOTHING);
	if ((state & SIGHT_MASK) == VALUE)
		check_equal(word, state);
	if ((state & SIGHT_MASK) == ZERO)
		check_equal(word, 0);
}

/* A look counts if no change was begun before it ended. */
static void spin(void *arg)
{
	struct spinner *s = arg;
	char *at = attach(s->scene->fd, s->scene->size, READ_WRITE);

	signal(SIGBUS, on_bus);
	signal(SIGSEGV, on_bus); /* what the host forbids */
	for (;;) {
		uint64_t state = atomic_load(&s->board->state), word = 0;
		bool there;

		if (state == UINT64_MAX)
			return;
		if (atomic_load(&s->board->changing) != state)
			continue;
		there = look((void *)(at + s->off), &word);
		if (atomic_load(&s->board->changing) != state)
			continue;
		judge(state, there, word);
		atomic_store(&s->board->seen[s->number], state);
	}
}

static bool saw(struct board *board, uint64_t state)
{
	for (int i = 0; i < SPINNERS; i++)
		if (atomic_load(&board->seen[i]) != state)
			return false;
	return true;
}

/* Only what hangs takes a minute. */
static void await_spinners(struct board *board, uint64_t state)
{
	int patience = 120000;

	while (!saw(board, state) && patience-- > 0)
		usleep(500);
	check(patience > 0);
}

static void announce(struct board *board, const struct change *c, change_file *change, uint64_t n)
{
	uint64_t state = n << 2 | c->sight;

	atomic_store(&board->changing, state);
	change(c, state);
	atomic_store(&board->state, state);
	await_spinners(board, state);
}

void spin_through(struct scene *s, const struct step *steps, size_t count)
{
	struct board *board = shared_memory(sizeof(*board));
	struct change c = { s, map_plain(s->fd, s->size, READ_WRITE), SLOT + 5 * PAGE, VALUE };
	struct spinner spinner = { s, board, c.off, 0 };
	pid_t pids[SPINNERS];

	*(volatile uint64_t *)(void *)(c.plain + c.off) = 0; /* the first state */
	for (; spinner.number < SPINNERS; spinner.number++)
		pids[spinner.number] = child_start(spin, &spinner);
	for (uint64_t n = 1; n <= spin_rounds; n++) {
		c.sight = steps[n % count].sight;
		announce(board, &c, steps[n % count].change, n);
	}
	atomic_store(&board->state, UINT64_MAX);
	for (int i = 0; i < SPINNERS; i++)
		child_wait(pids[i]);
	check(ftruncate(s->fd, (off_t)s->size) == 0);
	pages_fill(s->at, s->size, SCENE_SALT);
	munmap(c.plain, s->size);
	munmap(board, sizeof(*board));
}
