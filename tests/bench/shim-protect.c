/* SPDX-License-Identifier: MIT */
/*
 * To forbid writing and to allow it again, for many processes that all have their tables filled:
 * one mshare_protect(), against an mprotect(2) by each process. The crowds take turns with the
 * memory, one after the other: where somebody maps the file by himself mshare_protect() is refused.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench-shim.h"
#include "check.h"
#include "child.h"

enum { MOST_ROUNDS = 101, MOST_PROCESSES = 256 };
enum order { LINK = 'l', FORBID = 'f', ALLOW = 'a' };

struct crowd {
	mshare_t region;
	size_t size;
	unsigned int count;
	bool shim;
	int orders[MOST_PROCESSES];
	pid_t pids[MOST_PROCESSES];
	int answer[2]; /* a byte from each that is done */
};

struct member {
	struct crowd *crowd;
	int order;
};

static void do_order(const struct crowd *c, char *at, char order)
{
	int prot = order == ALLOW ? PROT_READ | PROT_WRITE : PROT_READ;

	if (order == LINK && c->shim)
		for (size_t off = 0; off < c->size; off += (size_t)1 << 30)
			(void)*(volatile char *)(at + off);
	else if (order != LINK)
		check(mprotect(at, c->size, prot) == 0);
}

static void serve(void *arg)
{
	const struct member *m = arg;
	struct crowd *c = m->crowd;
	char *at = c->shim ? shim_attach(c->region, c->size) : plain_map(c->region, c->size);
	char order;

	for (unsigned int i = 0; i < c->count; i++)
		close(c->orders[i]);
	touch_pages(at, c->size, false);
	check(write(c->answer[1], "", 1) == 1);
	while (read(m->order, &order, 1) == 1) {
		do_order(c, at, order);
		check(write(c->answer[1], "", 1) == 1);
	}
}

static void await_all(const struct crowd *c)
{
	char byte;

	for (unsigned int i = 0; i < c->count; i++)
		check(read(c->answer[0], &byte, 1) == 1);
}

static void tell_all(const struct crowd *c, char order)
{
	for (unsigned int i = 0; i < c->count; i++)
		check(write(c->orders[i], &order, 1) == 1);
	await_all(c);
}

static void crowd_start(struct crowd *c, unsigned int count)
{
	check(pipe(c->answer) == 0);
	for (c->count = 0; c->count < count; c->count++) {
		struct member m = { .crowd = c };
		int ends[2];

		check(pipe(ends) == 0);
		m.order = ends[0];
		c->orders[c->count] = ends[1];
		c->count++; /* the child closes its own end as well */
		c->pids[c->count - 1] = child_start(serve, &m);
		c->count--;
		close(ends[0]);
	}
	await_all(c);
}

static void crowd_end(struct crowd *c)
{
	for (unsigned int i = 0; i < c->count; i++)
		close(c->orders[i]);
	for (unsigned int i = 0; i < c->count; i++)
		child_wait(c->pids[i]);
	close(c->answer[0]);
	close(c->answer[1]);
}

static double change(const struct crowd *c, char order)
{
	int prot = order == ALLOW ? PROT_READ | PROT_WRITE : PROT_READ;
	double start;

	tell_all(c, LINK);
	start = now_us();
	if (c->shim)
		check(mshare_protect(c->region, 0, c->size, prot) == 0);
	else
		tell_all(c, order);
	return now_us() - start;
}

static void measure(struct crowd *c, unsigned int count, unsigned int rounds, double *middle)
{
	static double forbid[MOST_ROUNDS], allow[MOST_ROUNDS];

	crowd_start(c, count);
	for (unsigned int i = 0; i < rounds; i++) {
		forbid[i] = change(c, FORBID);
		allow[i] = change(c, ALLOW);
	}
	crowd_end(c);
	middle[0] = median(forbid, rounds);
	middle[1] = median(allow, rounds);
}

static void fill(void *arg)
{
	const struct crowd *c = arg;

	touch_pages(shim_attach(c->region, c->size), c->size, true);
}

void bench_protect(size_t size, unsigned int count, unsigned int rounds)
{
	static const char *const names[] = { "forbid_writing", "allow_writing" };
	struct crowd crowd = { .region = shim_region(size), .size = size };
	double middle[2][2];

	child_run(fill, &crowd);
	for (int shim = 0; shim < 2; shim++) {
		crowd.shim = shim;
		measure(&crowd, count, rounds, middle[shim]);
	}
	for (int i = 0; i < 2; i++) {
		struct figure *f = figure_begin("protect");

		figure_text(f, "change", names[i]);
		figure_count(f, "size", size);
		figure_count(f, "processes", count);
		figure_number(f, "mprotect_by_each_us", middle[0][i]);
		figure_number(f, "mshare_protect_us", middle[1][i]);
		figure_number(f, "times_faster", middle[0][i] / middle[1][i]);
		figure_end(f);
	}
	check(mshare_close(crowd.region) == 0);
}
