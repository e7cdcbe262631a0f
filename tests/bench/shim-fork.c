/* SPDX-License-Identifier: MIT */
/*
 * fork(2) and exit of a child: of a parent that maps nothing, of one that maps the file with
 * mmap(2), and of one that is attached; all of it has been read by the parent. The three parents
 * live side by side and take turns. A child either exits at once or reads one word before.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-shim.h"
#include "check.h"
#include "child.h"

enum { NOTHING, PLAIN, SHIM, PARENTS };
enum { MOST_ROUNDS = 1001 };

static const char *const names[PARENTS] = { "nothing", "mmap", "shim" };

struct parent {
	int kind;
	pid_t pid;
	mshare_t region;
	size_t size;
	int order[2]; /* a byte to the parent: whether the child shall read */
	int answer[2]; /* a double from it: microseconds */
};

static double fork_and_exit(const volatile char *at, bool touch)
{
	double start = now_us();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (touch && at)
			(void)*at;
		_exit(0);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return now_us() - start;
}

static void serve(void *arg)
{
	struct parent *p = arg;
	void *at = NULL;
	char touch;

	close(p->order[1]);
	if (p->kind == PLAIN)
		at = plain_map(p->region, p->size);
	else if (p->kind == SHIM)
		at = shim_attach(p->region, p->size);
	if (at)
		touch_pages(at, p->size, false);
	while (read(p->order[0], &touch, 1) == 1) {
		double us = fork_and_exit(at, touch);

		check(write(p->answer[1], &us, sizeof(us)) == sizeof(us));
	}
}

static void start(struct parent *p, int kind, mshare_t region, size_t size)
{
	*p = (struct parent){ .kind = kind, .region = region, .size = size };
	check(pipe(p->order) == 0 && pipe(p->answer) == 0);
	p->pid = child_start(serve, p);
	close(p->order[0]);
	close(p->answer[1]);
}

static double ask(const struct parent *p, bool touch)
{
	char order = (char)touch;
	double us;

	check(write(p->order[1], &order, 1) == 1);
	check(read(p->answer[0], &us, sizeof(us)) == sizeof(us));
	return us;
}

/* The others inherited the writing end of the order: in the reverse order none is left in one. */
static void end(struct parent *p)
{
	close(p->order[1]);
	child_wait(p->pid);
	close(p->answer[0]);
}

static void show(const struct parent *parents, bool touch, double *middle)
{
	for (int i = 0; i < PARENTS; i++) {
		struct figure *f = figure_begin("fork");

		figure_text(f, "parent", names[i]);
		figure_count(f, "size", parents[i].size);
		figure_flag(f, "touched", touch);
		figure_number(f, "fork_exit_us", middle[i]);
		figure_number(f, "over_nothing", middle[i] / middle[NOTHING]);
		figure_number(f, "over_mmap", middle[i] / middle[PLAIN]);
		figure_end(f);
	}
}

static void measure(const struct parent *parents, bool touch, unsigned int rounds)
{
	static double times[PARENTS][MOST_ROUNDS];
	double middle[PARENTS];

	for (int i = 0; i < PARENTS; i++)
		ask(&parents[i], touch);
	for (unsigned int round = 0; round < rounds; round++)
		for (int i = 0; i < PARENTS; i++)
			times[i][round] = ask(&parents[i], touch);
	for (int i = 0; i < PARENTS; i++)
		middle[i] = median(times[i], rounds);
	show(parents, touch, middle);
}

static void fill(void *arg)
{
	const struct parent *p = arg;

	touch_pages(shim_attach(p->region, p->size), p->size, true);
}

void bench_fork(size_t size, unsigned int rounds)
{
	mshare_t region = shim_region(size);
	struct parent filler = { .region = region, .size = size };
	struct parent parents[PARENTS];

	child_run(fill, &filler);
	for (int i = 0; i < PARENTS; i++)
		start(&parents[i], i, region, size);
	measure(parents, false, rounds);
	measure(parents, true, rounds);
	for (int i = PARENTS; i-- > 0;)
		end(&parents[i]);
	check(mshare_close(region) == 0);
}
