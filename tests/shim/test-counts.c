/* SPDX-License-Identifier: MIT */
/*
 * What an attached process costs, in what can be counted: page tables, faults, interrupts. None of
 * it depends on the speed of the machine, and each is a promise of the module.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interrupts.h"
#include "kernel.h"
#include "object.h"
#include "view.h"

#define SALT 5
#define MOST_TABLES ((uint64_t)12 * KIB) /* above a process that attaches nothing */
#define ENTRY 8 /* bytes of a page table for each page */
#define MOST_FAULTS 2
#define ROUNDS 50
#define AROUND (16 * PAGE) /* what the kernel maps with one fault, at most */

static size_t size_of_region(void)
{
	return kernel_can_do(GIB, 64 * MIB);
}

/* A file with a host that has all of its pages, and stays for the descriptor `user`. */
struct hosted {
	int fd;
	int user;
	size_t size;
	struct host host;
};

static struct hosted hosted_make(size_t size)
{
	struct hosted h = { .fd = memory_file(size), .size = size };

	h.host = host_start(h.fd, size, READ_WRITE);
	h.user = view_attach(h.fd, READ_WRITE);
	check(h.user >= 0);
	return h;
}

static void hosted_end(struct hosted *h)
{
	check_equal(view_query(h->fd, READ_WRITE).links, 0);
	close(h->user);
	host_leaves(&h->host);
	close(h->fd);
}

static void fill(void *arg)
{
	const struct hosted *h = arg;

	pages_fill(attach(h->fd, h->size, READ_WRITE), h->size, SALT);
}

/* In a process of its own, so that those that measure inherit no attachment. */
static struct hosted hosted_filled(size_t size)
{
	struct hosted h = hosted_make(size);

	child_run(fill, &h);
	check_equal(view_query(h.fd, READ_WRITE).links, 0);
	return h;
}

enum how { NOTHING, PLAIN, LINKED, POPULATED, LIBRARY_POPULATED };

struct cost {
	uint64_t tables; /* bytes, of attaching and reading all */
	uint64_t scan_faults;
	uint64_t entries; /* in this process, when attached, before the first access */
};

struct trial {
	const struct hosted *of;
	enum how how;
	struct cost *cost; /* shared */
};

static void *attach_populated(const struct hosted *h)
{
	void *at = mmap(reserve(h->size), h->size, READ_WRITE,
			MAP_SHARED | MAP_FIXED | MAP_POPULATE, h->user, 0);

	check(at != MAP_FAILED);
	return at;
}

static void *attach_by_library(const struct hosted *h)
{
	mshare_t region;
	void *at;

	check(setenv("MSHARE_BACKEND", "shim", 1) == 0);
	region = mshare_from_fd(h->fd, NULL);
	check(region);
	at = mshare_attach(region, NULL, 0, h->size, READ_WRITE, MSHARE_POPULATE);
	check(at != MAP_FAILED);
	check_equal(region_stat(region, 0).backend, MSHARE_BACKEND_SHIM);
	return at;
}

static void *attach_how(const struct trial *t)
{
	switch (t->how) {
	case PLAIN:
		return map_plain(t->of->fd, t->of->size, READ_WRITE);
	case LINKED:
		return attach(t->of->fd, t->of->size, READ_WRITE);
	case POPULATED:
		return attach_populated(t->of);
	case LIBRARY_POPULATED:
		return attach_by_library(t->of);
	default:
		return NULL;
	}
}

/* So that code, stack and what the C library allocates do not count. */
static void rehearse(void)
{
	static char page[4096] __attribute__((aligned(4096)));

	pages_fill(page, sizeof(page), SALT);
	pages_check(page, sizeof(page), SALT);
	proc_status_bytes("VmPTE");
	proc_minor_faults();
}

static void pay(void *arg)
{
	const struct trial *t = arg;
	uint64_t tables;
	long faults;
	void *at;

	rehearse();
	tables = proc_status_bytes("VmPTE");
	at = attach_how(t);
	t->cost->entries = view_query(t->of->fd, READ_WRITE).entries;
	faults = proc_minor_faults();
	if (at)
		pages_check(at, t->of->size, SALT);
	t->cost->scan_faults = (uint64_t)(proc_minor_faults() - faults);
	t->cost->tables = proc_status_bytes("VmPTE") - tables;
	if (t->how >= LINKED)
		check_equal(view_query(t->of->fd, READ_WRITE).entries, t->of->size / SLOT);
}

static struct cost cost_of(const struct hosted *h, enum how how)
{
	struct cost *shared = shared_memory(sizeof(*shared));
	struct trial trial = { h, how, shared };
	struct cost cost;

	child_run(pay, &trial);
	cost = *shared;
	munmap(shared, sizeof(*shared));
	printf("way %d: %llu bytes of tables, %llu faults of the scan, %llu entries at once\n", how,
	       (unsigned long long)cost.tables, (unsigned long long)cost.scan_faults,
	       (unsigned long long)cost.entries);
	return cost;
}

static void test_one_more_process(void **state)
{
	struct hosted h = hosted_filled(size_of_region());
	struct cost nothing = cost_of(&h, NOTHING);
	struct cost plain = cost_of(&h, PLAIN);
	struct cost linked = cost_of(&h, LINKED);

	(void)state;
	check(plain.tables >= nothing.tables + h.size / PAGE * ENTRY);
	check(linked.tables <= nothing.tables + MOST_TABLES);
	check(linked.scan_faults <= MOST_FAULTS);
	check_equal(linked.entries, 0);
	hosted_end(&h);
}

static void test_populated_scans_without_faults(void **state)
{
	struct hosted h = hosted_filled(size_of_region());
	struct cost mapped = cost_of(&h, POPULATED);
	struct cost library = cost_of(&h, LIBRARY_POPULATED);

	(void)state;
	check_equal(mapped.entries, h.size / SLOT);
	check_equal(mapped.scan_faults, 0);
	check_equal(library.entries, h.size / SLOT);
	check_equal(library.scan_faults, 0);
	check(library.tables <= MOST_TABLES);
	hosted_end(&h);
}

/* Attaching looks at no page, however many there are: nobody has a table or a fault of it. */
static void attach_only(void *arg)
{
	const struct hosted *h = arg;
	struct mshare_ctl_query before = view_query(h->fd, READ_WRITE), after;
	uint64_t tables;
	long faults;
	void *at;

	rehearse();
	at = reserve(h->size);
	tables = proc_status_bytes("VmPTE");
	faults = proc_minor_faults();
	check(mmap(at, h->size, READ_WRITE, MAP_SHARED | MAP_FIXED, h->user, 0) == at);
	check_equal(proc_minor_faults(), faults);
	check_equal(proc_status_bytes("VmPTE"), tables);
	after = view_query(h->fd, READ_WRITE);
	check_equal(after.faults, before.faults);
	check_equal(after.tables + after.entries, 0);
	check_equal(after.links, 1);
}

static void test_attach_costs_the_same_for_every_size(void **state)
{
	static const size_t sizes[] = { 64 * MIB, GIB, 8 * GIB };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct hosted h = hosted_make(sizes[i]); /* sparse: nothing is in it */

		child_run(attach_only, &h);
		hosted_end(&h);
	}
}

static void confine_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* Attached to the lower half of the file only, and always running, on another processor. */
struct reader {
	const struct hosted *of;
	atomic_bool *stop; /* shared */
};

static void keep_reading(void *arg)
{
	const struct reader *r = arg;
	size_t half = r->of->size / 2;
	const volatile char *at =
		mmap(reserve(half), half, READ_WRITE, MAP_SHARED | MAP_FIXED, r->of->user, 0);

	check(at != MAP_FAILED);
	confine_to(1);
	while (!atomic_load(r->stop))
		for (size_t off = 0; off < half; off += SLOT)
			(void)at[off];
}

struct counted {
	uint64_t invalidations;
	uint64_t flushes;
	uint64_t interrupts;
};

/* Punches a page out of the file, which the host maps, and puts it back, ROUNDS times. */
static struct counted punch(const struct hosted *h, size_t off)
{
	uint64_t entries = h->size / 2 / SLOT;
	struct mshare_ctl_query before, after;
	uint64_t interrupts = interrupts_between_cpus();

	before = view_query(h->fd, READ_WRITE);
	for (int i = 0; i < ROUNDS; i++) {
		/* The reader has the slot linked again, or never had it. */
		check(COMES_TRUE(view_query(h->fd, READ_WRITE).entries == entries));
		check(fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(off + (size_t)i * PAGE), (off_t)PAGE) == 0);
	}
	after = view_query(h->fd, READ_WRITE);
	return (struct counted){ after.invalidations - before.invalidations,
				 after.flushes - before.flushes,
				 interrupts_between_cpus() - interrupts };
}

/*
 * In the half nobody has linked, other pages each time: the quietest of up to three. The kernel has
 * reasons of its own for interrupts, a debug kernel many.
 */
static struct counted punch_unlinked(const struct hosted *h)
{
	struct counted least = { .interrupts = UINT64_MAX };

	for (size_t i = 0; i < 3 && least.interrupts >= ROUNDS / 2; i++) {
		struct counted c = punch(h, h->size / 2 + i * ROUNDS * PAGE);

		check_equal(c.invalidations, 0);
		check_equal(c.flushes, 0);
		if (c.interrupts < least.interrupts)
			least = c;
	}
	return least;
}

static void test_only_linked_slots_cost_interrupts(void **state)
{
	struct hosted h = hosted_filled(64 * MIB);
	atomic_bool *stop = shared_memory(sizeof(*stop));
	struct reader order = { &h, stop };
	struct counted linked, unlinked;
	pid_t reader;

	(void)state;
	reader = child_start(keep_reading, &order);
	child_run(fill, &h); /* the host has every page again, if it ever lost one */
	confine_to(0);
	check(COMES_TRUE(view_query(h.fd, READ_WRITE).entries == h.size / 2 / SLOT));
	unlinked = punch_unlinked(&h);
	/* Not where a fault of the reader may map a page again that has not left the file yet. */
	linked = punch(&h, AROUND);
	atomic_store(stop, true);
	child_wait(reader);
	printf("%d times, linked: %llu flushes, %llu interrupts; not linked: %llu, %llu\n", ROUNDS,
	       (unsigned long long)linked.flushes, (unsigned long long)linked.interrupts,
	       (unsigned long long)unlinked.flushes, (unsigned long long)unlinked.interrupts);
	check(unlinked.interrupts < ROUNDS / 2);
	check_equal(linked.invalidations, ROUNDS);
	check_equal(linked.flushes, ROUNDS);
	check(linked.interrupts >= ROUNDS);
	hosted_end(&h);
	munmap(stop, sizeof(*stop));
}

static void exit_at_once(void *unused)
{
	(void)unused;
}

/*
 * A child that does not touch the region links nothing, and so has nothing to flush when it ends.
 */
static void fork_untouched(void *arg)
{
	const struct hosted *h = arg;
	char *at = attach(h->fd, h->size, READ_WRITE);
	struct mshare_ctl_query before, after;

	pages_check(at, h->size, SALT);
	before = view_query(h->fd, READ_WRITE);
	for (int i = 0; i < ROUNDS; i++)
		child_run(exit_at_once, NULL);
	after = view_query(h->fd, READ_WRITE);
	check_equal(after.faults, before.faults);
	check_equal(after.flushes, before.flushes);
	check_equal(after.entries, h->size / SLOT);
	check_equal(after.links, 1);
}

static void test_fork_alone_links_nothing(void **state)
{
	struct hosted h = hosted_filled(64 * MIB);

	(void)state;
	child_run(fork_untouched, &h);
	hosted_end(&h);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_one_more_process),
		cmocka_unit_test(test_populated_scans_without_faults),
		cmocka_unit_test(test_attach_costs_the_same_for_every_size),
		cmocka_unit_test(test_only_linked_slots_cost_interrupts),
		cmocka_unit_test(test_fork_alone_links_nothing),
	};

	return SHIM_MAIN(cases);
}
