/* SPDX-License-Identifier: MIT */
/*
 * No stale translation: processes that spin on a page while the file is punched, truncated and
 * grown never see the old page once the call that took it away has returned.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * MIB)
#define SPINNERS 3
#define ROUNDS 150

/* What there is to see at the page; the number of the change is above the lowest two bits. */
enum sight { VALUE, ZERO, NOTHING, SIGHT_MASK = 3 };

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
	char *at = attach(s->scene->fd, SIZE, READ_WRITE);

	signal(SIGBUS, on_bus);
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

static bool all_saw(struct board *board, uint64_t state)
{
	for (int i = 0; i < SPINNERS; i++)
		if (atomic_load(&board->seen[i]) != state)
			return false;
	return true;
}

struct change {
	const struct scene *scene;
	char *plain; /* an ordinary mapping, to write with */
	size_t off;
	enum sight sight; /* afterwards */
};
typedef void change_file(const struct change *c, uint64_t state);

static void punch(const struct change *c, uint64_t state)
{
	(void)state;
	check(fallocate(c->scene->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)c->off,
			PAGE) == 0);
}

static void put_value(const struct change *c, uint64_t state)
{
	*(volatile uint64_t *)(void *)(c->plain + c->off) = state;
}

static void cut_off(const struct change *c, uint64_t state)
{
	(void)state;
	check(ftruncate(c->scene->fd, (off_t)c->off) == 0);
}

static void grow(const struct change *c, uint64_t state)
{
	(void)state;
	check(ftruncate(c->scene->fd, SIZE) == 0);
}

static void announce(struct board *board, const struct change *c, change_file *change, uint64_t n)
{
	uint64_t state = n << 2 | c->sight;

	atomic_store(&board->changing, state);
	change(c, state);
	atomic_store(&board->state, state);
	check(COMES_TRUE(all_saw(board, state)));
}

struct step {
	change_file *change;
	enum sight sight;
};

static void spin_through(struct scene *s, const struct step *steps, size_t count)
{
	struct board *board = shared_memory(sizeof(*board));
	struct change c = { s, map_plain(s->fd, SIZE, READ_WRITE), SLOT + 5 * PAGE, VALUE };
	struct spinner spinner = { s, board, c.off, 0 };
	pid_t pids[SPINNERS];

	put_value(&c, 0);
	for (; spinner.number < SPINNERS; spinner.number++)
		pids[spinner.number] = child_start(spin, &spinner);
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		c.sight = steps[n % count].sight;
		announce(board, &c, steps[n % count].change, n);
	}
	atomic_store(&board->state, UINT64_MAX);
	for (int i = 0; i < SPINNERS; i++)
		child_wait(pids[i]);
	check(ftruncate(s->fd, SIZE) == 0);
	pages_fill(s->at, SIZE, SCENE_SALT);
	munmap(c.plain, SIZE);
	munmap(board, sizeof(*board));
}

static const struct step punching[] = { { punch, ZERO }, { put_value, VALUE } };
static const struct step truncating[] = {
	{ cut_off, NOTHING },
	{ grow, ZERO },
	{ put_value, VALUE },
};

static void test_punched_memory(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	spin_through(&s, punching, 2);
	check(view_query(s.fd, READ_WRITE).invalidations >= ROUNDS / 2);
	scene_end(&s);
}

static void test_truncated_memory(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	spin_through(&s, truncating, 3);
	scene_end(&s);
}

static void test_punched_disk_file(void **state)
{
	struct scene s = scene_make_of(disk_file(SIZE), SIZE);

	(void)state;
	spin_through(&s, punching, 2);
	scene_end(&s);
}

static void test_truncated_disk_file(void **state)
{
	struct scene s = scene_make_of(disk_file(SIZE), SIZE);

	(void)state;
	spin_through(&s, truncating, 3);
	scene_end(&s);
}

/* A flush drops links, never data. */
static void test_flushed(void **state)
{
	struct scene s = scene_make(SIZE);
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = s.fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SIZE,
	};

	(void)state;
	check_equal(view_query(s.fd, READ_WRITE).entries, SIZE / SLOT);
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
	check_equal(view_query(s.fd, READ_WRITE).entries, 0);
	check_equal(view_query(s.fd, READ_WRITE).tables, 0);
	flush.off = SIZE;
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), -EINVAL);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_punched_memory),
		cmocka_unit_test(test_truncated_memory),
		cmocka_unit_test(test_punched_disk_file),
		cmocka_unit_test(test_truncated_disk_file),
		cmocka_unit_test(test_flushed),
	};

	return SHIM_MAIN(cases);
}
