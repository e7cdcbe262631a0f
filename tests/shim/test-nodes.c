/* SPDX-License-Identifier: MIT */
/*
 * Nodes of memory: policies, and pages that are moved from node to node while processes are attached.
 * Where a machine has one node only, each is a move to where the page is.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * MIB)
#define PAGES (SIZE / PAGE)

static int last_node;

/* "0" or "0-3" */
static void find_last_node(void)
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "re");
	int first, n;

	check(file);
	n = fscanf(file, "%d-%d", &first, &last_node);
	fclose(file);
	check(n >= 1 && first == 0);
	if (n == 1)
		last_node = 0;
	print_message("nodes: %d\n", last_node + 1);
}

static unsigned long mask(int node)
{
	return 1ul << node;
}

static int bind(char *at, size_t size, int mode, unsigned long nodes, unsigned int flags)
{
	return syscall(SYS_mbind, at, size, mode, &nodes, 64, flags) ? -errno : 0;
}

/* What move_pages(2) answers, for each page of [at, at + SIZE): nodes it goes to, or NULL to ask. */
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
			check_equal(bind(s.at, SIZE, mode, mask(0), flags[i]), -EINVAL);
			check_equal(bind(s.at, SLOT, mode, mask(0), flags[i]), -EINVAL);
		}
		pages_check(s.at, SIZE, SCENE_SALT);
	}
	check_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, s.at, MPOL_F_ADDR), 0);
	check_equal(mode, MPOL_LOCAL);
	check_equal(syscall(SYS_get_mempolicy, &mode, NULL, 0, s.at, MPOL_F_ADDR | MPOL_F_NODE), 0);
	check(mode >= 0 && mode <= last_node);
	scene_end(&s);
}

static void place_by_own_policy(void *arg)
{
	const struct scene *s = arg;
	unsigned long nodes = mask(last_node);

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
	check_equal(pages_on(s.at, last_node), PAGES);
	scene_end(&s);
}

static volatile int *bound;

static void bind_all(const struct mapping *own)
{
	check_equal(bind(own->at, own->size, MPOL_BIND, mask(last_node), MPOL_MF_MOVE), 0);
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
	check_equal(pages_on(s.at, last_node), PAGES);
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
		int node = i % 2 ? 0 : last_node;

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
	check(COMES_TRUE(moved_to(s.at, last_node)));
	check(COMES_TRUE(moved_to(s.at, 0)));
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(count(move(0, s.at, NULL, 0), -ENOENT), PAGES);
	scene_end(&s);
	with_verifier(move_there_and_back);
}

static bool migrated_to(char *at, int node)
{
	unsigned long from = mask(last_node - node), to = mask(node);

	pages_check(at, SIZE, SCENE_SALT);
	check(syscall(SYS_migrate_pages, 0, 64, &from, &to) >= 0);
	return pages_on(at, node) == PAGES;
}

static void migrate_there_and_back(const struct scene *s, pid_t verifier)
{
	for (int i = 0; i < 6; i++) {
		unsigned long from = mask(i % 2 ? last_node : 0), to = mask(i % 2 ? 0 : last_node);

		check(syscall(SYS_migrate_pages, i % 3 ? verifier : 0, 64, &from, &to) >= 0);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
}

static void test_migrate_pages(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check(COMES_TRUE(migrated_to(s.at, last_node)));
	check(COMES_TRUE(migrated_to(s.at, 0)));
	scene_end(&s);
	with_verifier(migrate_there_and_back);
}

#define SCAN_DELAY "/sys/kernel/debug/sched/numa_balancing/scan_delay_ms"
#define SCAN_PERIOD "/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms"
#define LONGEST_PERIOD "/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms"

static void scan_often(bool often)
{
	check_equal(write_text("/proc/sys/kernel/numa_balancing", often || last_node ? "1" : "0"),
		    0);
	check_equal(write_text(SCAN_DELAY, often ? "10" : "1000"), 0);
	check_equal(write_text(SCAN_PERIOD, often ? "10" : "1000"), 0);
	check_equal(write_text(LONGEST_PERIOD, often ? "10" : "60000"), 0);
}

static uint64_t scans(void)
{
	FILE *file = fopen("/proc/self/sched", "re");
	unsigned long long seq = 0;
	char line[256];
	bool found = false;

	check(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "mm->numa_scan_seq : %llu", &seq) == 1;
	fclose(file);
	check(found);
	return seq;
}

/* The kernel looks at memory of who uses a processor; busy with what is attached only. */
static void be_scanned(void *arg)
{
	const struct scene *s = arg;
	uint64_t before, faults;

	pages_check(s->at, SIZE, SCENE_SALT);
	before = scans();
	faults = view_query(s->fd, READ_WRITE).faults;
	while (scans() < before + 3)
		for (int i = 0; i < 1000; i++)
			pages_check(s->at, SIZE, SCENE_SALT);
	check_equal(view_query(s->fd, READ_WRITE).faults, faults);
}

/* What balancing would take away comes back by a fault, and pages are the host's to move. */
static void test_balancing(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	scan_often(true);
	child_run(be_scanned, &s);
	scan_often(false);
	scene_end(&s);
}

static volatile int *seen_enough;

static void use_and_be_balanced(const struct mapping *own)
{
	check_equal(bind(own->at, own->size, MPOL_BIND | MPOL_F_NUMA_BALANCING,
			 mask(0) | mask(last_node), 0),
		    0);
	while (!*seen_enough)
		pages_check(own->at, own->size, SCENE_SALT);
}

/* Before 6.5 the kernel finds the lock of a table by an entry that the module may be replacing. */
static bool is_before_6_5(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	check(uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2);
	return major < 6 || (major == 6 && minor < 5);
}

/* Counts the exceptions of this process: getrusage(2) adds what it resolves for the host. */
static int count_exceptions(void)
{
	struct perf_event_attr what = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(what),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
	};
	int fd = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	check(fd >= 0);
	return fd;
}

static uint64_t exceptions(int fd)
{
	uint64_t number;

	check(read(fd, &number, sizeof(number)) == sizeof(number));
	return number;
}

/* Each fault of this process is one that the module has served: none has found a hint. */
static void meet_no_hints(void *arg)
{
	const struct scene *s = arg;
	uint64_t until = counter("/proc/vmstat", "numa_pte_updates") + 5 * PAGES;
	int fd = count_exceptions();
	uint64_t before, served, own;

	pages_check(s->at, SIZE, SCENE_SALT);
	before = view_query(s->fd, READ_WRITE).faults;
	own = exceptions(fd);
	while (counter("/proc/vmstat", "numa_pte_updates") < until)
		for (int i = 0; i < 100; i++)
			pages_check(s->at, SIZE, SCENE_SALT);
	own = exceptions(fd) - own;
	close(fd);
	served = view_query(s->fd, READ_WRITE).faults - before;
	print_message("%" PRIu64 " faults, %" PRIu64 " served\n", own, served);
	check(own > 0 && (own <= served || !is_before_6_5()));
}

/* The hints that a host gets for its policy, and because it uses its mapping, are its to resolve. */
static void test_hints_of_the_host(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	seen_enough = shared_memory(sizeof(*seen_enough));
	s.at = map_plain(s.fd, SIZE, READ_WRITE);
	pages_fill(s.at, SIZE, SCENE_SALT);
	check(munmap(s.at, SIZE) == 0);
	scan_often(true);
	s.host = host_start_with(s.fd, SIZE, READ_WRITE, use_and_be_balanced);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	child_run(meet_no_hints, &s);
	*seen_enough = 1;
	scan_often(false);
	scene_end(&s);
	munmap((void *)seen_enough, sizeof(*seen_enough));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_mbind),
		cmocka_unit_test(test_set_mempolicy),
		cmocka_unit_test(test_host_binds),
		cmocka_unit_test(test_move_pages),
		cmocka_unit_test(test_migrate_pages),
		cmocka_unit_test(test_balancing),
		cmocka_unit_test(test_hints_of_the_host),
	};

	find_last_node();
	return SHIM_MAIN(cases);
}
