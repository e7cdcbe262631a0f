/* SPDX-License-Identifier: MIT */
/*
 * Nodes of memory: policies, and pages that are moved from node to node while processes are
 * attached. Where a machine has one node only, each is a move to where the page is.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "scene.h"

#define SIZE (4 * MIB)
#define PAGES (SIZE / PAGE)

/*
 * What move_pages(2) answers, for each page of [at, at + SIZE): nodes it goes to, or NULL to ask.
 */
static const int *move(pid_t pid, char *at, const int *to, int flags)
{
	static int status[PAGES];
	static void *pages[PAGES];

	for (size_t i = 0; i < PAGES; i++)
		pages[i] = at + i * PAGE;
	memset(status, 0x7f, sizeof(status));
	check_equal(syscall(SYS_move_pages, pid, PAGES, pages, to, status, flags), 0);
	return status;
}

static void move_all_to(pid_t pid, char *at, int node, int flags)
{
	int to[PAGES];

	for (size_t i = 0; i < PAGES; i++)
		to[i] = node;
	move(pid, at, to, flags);
}

static size_t count(const int *status, int value)
{
	size_t n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n += status[i] == value;
	return n;
}

static size_t pages_on(char *at, int node)
{
	pages_check(at, SIZE, SCENE_SALT);
	return count(move(0, at, NULL, 0), node);
}

/* A policy of its own is nothing an attachment can have. */
static void test_mbind(void **state)
{
	static const unsigned int flags[] = { 0, MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL };
	struct scene s = scene_make(SIZE);
	int mode;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		for (mode = MPOL_PREFERRED; mode <= MPOL_INTERLEAVE; mode++) {
			check_equal(node_bind(s.at, SIZE, mode, node_mask(0), flags[i]), -EINVAL);
			check_equal(node_bind(s.at, SLOT, mode, node_mask(0), flags[i]), -EINVAL);
		}
		pages_check(s.at, SIZE, SCENE_SALT);
	}
	check_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, s.at, MPOL_F_ADDR), 0);
	check_equal(mode, MPOL_LOCAL);
	check_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, s.at, MPOL_F_ADDR | MPOL_F_NODE), 0);
	check(mode >= 0 && mode <= node_last());
	scene_end(&s);
}

static void place_by_own_policy(void *arg)
{
	const struct scene *s = arg;
	unsigned long nodes = node_mask(node_last());

	check_equal(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64), 0);
	pages_fill(s->at, SIZE, SCENE_SALT);
}

/* Who touches a page first places it by its own policy, as with mmap(2). */
static void test_set_mempolicy(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	child_run(place_by_own_policy, &s);
	check_equal(pages_on(s.at, node_last()), PAGES);
	scene_end(&s);
}

static volatile int *bound;

static void bind_all(const struct mapping *own)
{
	check_equal(node_bind(own->at, own->size, MPOL_BIND, node_mask(node_last()), MPOL_MF_MOVE),
		    0);
	*bound = 1;
}

/* The host's policy is the region's. */
static void test_host_binds(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	bound = shared_memory(sizeof(*bound));
	s.host = host_start_with(s.fd, SIZE, READ_WRITE, bind_all);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	check(COMES_TRUE(*bound));
	pages_fill(s.at, SIZE, SCENE_SALT);
	check_equal(pages_on(s.at, node_last()), PAGES);
	munmap((void *)bound, sizeof(*bound));
	scene_end(&s);
}

static void with_verifier(void (*act)(const struct scene *s, pid_t verifier))
{
	struct scene s = scene_make(SIZE);
	pid_t pid = child_start(scene_verify_on_and_on, &s);

	act(&s, pid);
	child_kill_running(pid);
	scene_end(&s);
}

static void move_there_and_back(const struct scene *s, pid_t verifier)
{
	for (int i = 0; i < 6; i++) {
		int node = i % 2 ? 0 : node_last();

		move_all_to(i % 3 ? 0 : verifier, s->at, node,
			    i < 3 ? MPOL_MF_MOVE_ALL : MPOL_MF_MOVE);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
}

/* Pages that somebody holds at the moment stay where they are, so it is tried again. */
static bool moved_to(char *at, int node)
{
	pages_check(at, SIZE, SCENE_SALT);
	move_all_to(0, at, node, MPOL_MF_MOVE);
	return pages_on(at, node) == PAGES;
}

static void test_move_pages(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check(COMES_TRUE(moved_to(s.at, node_last())));
	check(COMES_TRUE(moved_to(s.at, 0)));
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(count(move(0, s.at, NULL, 0), -ENOENT), PAGES);
	scene_end(&s);
	with_verifier(move_there_and_back);
}

static bool migrated_to(char *at, int node)
{
	unsigned long from = node_mask(node_last() - node), to = node_mask(node);

	pages_check(at, SIZE, SCENE_SALT);
	check(syscall(SYS_migrate_pages, 0, 64, &from, &to) >= 0);
	return pages_on(at, node) == PAGES;
}

static void migrate_there_and_back(const struct scene *s, pid_t verifier)
{
	for (int i = 0; i < 6; i++) {
		unsigned long from = node_mask(i % 2 ? node_last() : 0),
			      to = node_mask(i % 2 ? 0 : node_last());

		check(syscall(SYS_migrate_pages, i % 3 ? verifier : 0, 64, &from, &to) >= 0);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
}

static void test_migrate_pages(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check(COMES_TRUE(migrated_to(s.at, node_last())));
	check(COMES_TRUE(migrated_to(s.at, 0)));
	scene_end(&s);
	with_verifier(migrate_there_and_back);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_mbind),	      cmocka_unit_test(test_set_mempolicy),
		cmocka_unit_test(test_host_binds),    cmocka_unit_test(test_move_pages),
		cmocka_unit_test(test_migrate_pages),
	};

	return SHIM_MAIN(cases);
}
