/* SPDX-License-Identifier: MIT */
/*
 * Pages of the host move to another node, on request and by the kernel's own decision, while they
 * are in use. One who is attached moves nothing, and harms nothing by trying. Needs two nodes.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "verify.h"

#define SIZE (16 * MIB)
#define PAGES (SIZE / PAGE)
#define ROUNDS 4
#define KNOBS "/sys/kernel/debug/sched/numa_balancing/"
#define GROUP "/sys/fs/cgroup/shim-nodes"

/* On which node each page of that process is; where target is given, after moving it there. */
static void node_of_each(pid_t pid, char *at, const int *target, int *nodes)
{
	void **pages = calloc(PAGES, sizeof(*pages));

	check(pages);
	for (size_t i = 0; i < PAGES; i++)
		pages[i] = at + i * PAGE;
	check(syscall(SYS_move_pages, pid, PAGES, pages, target, nodes, MPOL_MF_MOVE) >= 0);
	free(pages);
}

static size_t on_node(const struct scene *s, const struct servant *host, int node)
{
	int *nodes = calloc(PAGES, sizeof(*nodes));
	size_t count = 0;

	check(nodes);
	node_of_each(s->host.pid, host->at, NULL, nodes);
	for (size_t i = 0; i < PAGES; i++)
		count += nodes[i] == node;
	free(nodes);
	return count;
}

static void look_at_all(const struct mapping *own)
{
	pages_check(own->at, own->size, SCENE_SALT);
}

static void move_pages_of_the_host(const struct scene *s, const struct servant *host)
{
	int *target = calloc(PAGES, sizeof(*target)), *nodes = calloc(PAGES, sizeof(*nodes));

	check(target && nodes);
	for (int round = 0; round < ROUNDS; round++) {
		servant_do(host, look_at_all);
		for (size_t i = 0; i < PAGES; i++)
			target[i] = round % 2 ? 0 : (int)i % 2;
		node_of_each(s->host.pid, host->at, target, nodes);
		pages_check(s->at, SIZE, SCENE_SALT);
		if (round % 2)
			check(on_node(s, host, 0) >= PAGES * 9 / 10);
		else
			check(on_node(s, host, 1) >= PAGES * 4 / 10);
	}
	free(target);
	free(nodes);
}

static void test_pages_of_the_host(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, move_pages_of_the_host);
}

static void migrate(pid_t pid, int from, int to)
{
	unsigned long old = 1ul << from, new = 1ul << to;

	check(syscall(SYS_migrate_pages, pid, 8 * sizeof(old), &old, &new) >= 0);
}

static void migrate_the_host(const struct scene *s, const struct servant *host)
{
	servant_do(host, look_at_all);
	for (int round = 0; round < ROUNDS; round++) {
		migrate(s->host.pid, round % 2, 1 - round % 2);
		pages_check(s->at, SIZE, SCENE_SALT);
		check(on_node(s, host, 1 - round % 2) >= PAGES * 9 / 10);
	}
}

static void test_all_of_the_host(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, migrate_the_host);
}

/* Binds the range, and moves what is there. */
static void bind_to(const struct mapping *own, unsigned long node)
{
	unsigned long nodes = 1ul << node;

	check(syscall(SYS_mbind, own->at, own->size, MPOL_BIND, &nodes, 8 * sizeof(nodes),
		      MPOL_MF_MOVE | MPOL_MF_STRICT) == 0);
}

static void bind_to_0(const struct mapping *own)
{
	bind_to(own, 0);
}

static void bind_to_1(const struct mapping *own)
{
	bind_to(own, 1);
}

static void bind_the_range(const struct scene *s, const struct servant *host)
{
	servant_do(host, look_at_all);
	for (int round = 0; round < ROUNDS; round++) {
		servant_do(host, round % 2 ? bind_to_1 : bind_to_0);
		pages_check(s->at, SIZE, SCENE_SALT);
		check_equal(on_node(s, host, round % 2), PAGES);
	}
}

static void test_policy_of_the_host(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, bind_the_range);
}

/* The host's group is given the other node's memory: its pages follow. */
static void move_the_group(const struct scene *s, const struct servant *host)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", s->host.pid);
	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	check_equal(write_text(GROUP "/cpuset.mems", "0"), 0);
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
	servant_do(host, look_at_all);
	for (int round = 0; round < ROUNDS; round++) {
		int node = (round + 1) % 2;

		check_equal(write_text(GROUP "/cpuset.mems", node ? "1" : "0"), 0);
		pages_check(s->at, SIZE, SCENE_SALT);
		check(COMES_TRUE(on_node(s, host, node) >= PAGES * 9 / 10));
	}
	check_equal(write_text("/sys/fs/cgroup/cgroup.procs", pid), 0);
	check(rmdir(GROUP) == 0);
}

static void test_group_of_the_host(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, move_the_group);
}

/* One who is attached has no pages: nothing moves for it, nothing breaks. */
static void migrate_who_is_attached(const struct scene *s, const struct servant *host)
{
	int *target = calloc(PAGES, sizeof(*target)), *nodes = calloc(PAGES, sizeof(*nodes));
	size_t before;

	check(target && nodes);
	servant_do(host, look_at_all);
	pages_check(s->at, SIZE, SCENE_SALT);
	before = on_node(s, host, 0);
	for (int round = 0; round < ROUNDS; round++) {
		node_of_each(0, s->at, target, nodes);
		for (size_t i = 0; i < PAGES; i++)
			target[i] = round % 2;
		migrate(0, round % 2, 1 - round % 2);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
	print_message("%zu pages on node 0 before, %zu after\n", before, on_node(s, host, 0));
	free(target);
	free(nodes);
}

static void test_who_is_attached(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, migrate_who_is_attached);
}

/*
 * Busy for a while, so that the kernel looks where its pages are: which it does for shared memory
 * of Linux 6.1 only where a policy asks for it.
 */
static void be_busy(const struct mapping *own)
{
	uint64_t updates = counter("/proc/vmstat", "numa_pte_updates");
	unsigned long both = 3;

	check(syscall(SYS_mbind, own->at, own->size, MPOL_BIND | MPOL_F_NUMA_BALANCING, &both,
		      8 * sizeof(both), 0) == 0);

	check(COMES_TRUE(({
		pages_check(own->at, own->size, SCENE_SALT);
		counter("/proc/vmstat", "numa_pte_updates") > updates + PAGES;
	})));
	print_message("%llu hints\n",
		      (unsigned long long)(counter("/proc/vmstat", "numa_pte_updates") - updates));
}

static void balance(const struct scene *s, const struct servant *host)
{
	uint64_t before = number_in("/proc/sys/kernel/numa_balancing");

	check_equal(write_text("/proc/sys/kernel/numa_balancing", "1"), 0);
	check_equal(write_text(KNOBS "scan_delay_ms", "10"), 0);
	check_equal(write_text(KNOBS "scan_period_min_ms", "50"), 0);
	check_equal(write_text(KNOBS "scan_period_max_ms", "100"), 0);
	servant_do(host, be_busy);
	pages_check(s->at, SIZE, SCENE_SALT);
	check_equal(write_text("/proc/sys/kernel/numa_balancing", before ? "1" : "0"), 0);
}

static void test_balancing(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, balance);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_pages_of_the_host),  cmocka_unit_test(test_all_of_the_host),
		cmocka_unit_test(test_policy_of_the_host), cmocka_unit_test(test_group_of_the_host),
		cmocka_unit_test(test_who_is_attached),	   cmocka_unit_test(test_balancing),
	};

	return !has_two_nodes() ? 77 : SHIM_MAIN(cases);
}
