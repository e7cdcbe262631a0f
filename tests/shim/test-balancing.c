/* SPDX-License-Identifier: MIT */
/*
 * NUMA balancing, which makes pages inaccessible for a while to see who uses them: of processes
 * that are attached, and of a host. With one node only it is made to look all the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"
#include "node.h"
#include "scene.h"

#define SIZE (4 * MIB)
#define PAGES (SIZE / PAGE)

#define SCAN_DELAY "/sys/kernel/debug/sched/numa_balancing/scan_delay_ms"
#define SCAN_PERIOD "/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms"
#define LONGEST_PERIOD "/sys/kernel/debug/sched/numa_balancing/scan_period_max_ms"

static void scan_often(bool often)
{
	check_equal(write_text("/proc/sys/kernel/numa_balancing", often || node_last() ? "1" : "0"),
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
	check_equal(node_bind(own->at, own->size, MPOL_BIND | MPOL_F_NUMA_BALANCING,
			      node_mask(0) | node_mask(node_last()), 0),
		    0);
	while (!*seen_enough)
		pages_check(own->at, own->size, SCENE_SALT);
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

static uint64_t hints_made(void)
{
	return counter("/proc/vmstat", "numa_pte_updates");
}

/*
 * Each fault of this process is one that the module has served: none has found a hint. Before 6.5
 * the kernel finds the lock of a table by an entry that the module may be replacing.
 */
static void meet_no_hints(void *arg)
{
	const struct scene *s = arg;
	uint64_t until = hints_made() + kernel_can_do(5, 1) * PAGES;
	int fd = count_exceptions();
	uint64_t before, served, own;

	pages_check(s->at, SIZE, SCENE_SALT);
	before = view_query(s->fd, READ_WRITE).faults;
	own = exceptions(fd);
	while (hints_made() < until)
		for (int i = 0; i < 100; i++)
			pages_check(s->at, SIZE, SCENE_SALT);
	own = exceptions(fd) - own;
	close(fd);
	served = view_query(s->fd, READ_WRITE).faults - before;
	print_message("%" PRIu64 " faults, %" PRIu64 " served\n", own, served);
	check(own > 0 && (own <= served || !kernel_is_before(6, 5)));
}

/*
 * The hints that a host gets for its policy, and because it uses its mapping, are its to resolve.
 */
static void with_hints(size_t size, child_body *use)
{
	struct scene s = { .fd = memory_file(size), .size = size };

	seen_enough = shared_memory(sizeof(*seen_enough));
	s.at = map_plain(s.fd, size, READ_WRITE);
	pages_fill(s.at, size, SCENE_SALT);
	check(munmap(s.at, size) == 0);
	scan_often(true);
	s.host = host_start_with(s.fd, size, READ_WRITE, use_and_be_balanced);
	s.at = attach(s.fd, size, READ_WRITE);
	use(&s);
	*seen_enough = 1;
	scan_often(false);
	scene_end(&s);
	munmap((void *)seen_enough, sizeof(*seen_enough));
}

static void test_hints_of_the_host(void **state)
{
	(void)state;
	with_hints(SIZE, meet_no_hints);
}

/* Several have the host resolve the hints of a table while it does so itself: nobody fails. */
static void meet_at_once(void *arg)
{
	const struct scene *s = arg;
	uint64_t until = hints_made() + kernel_can_do(10, 1) * s->size / PAGE;
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = child_start(scene_verify_on_and_on, arg);
	while (hints_made() < until)
		usleep(1000);
	for (int i = 0; i < 4; i++)
		child_kill_running(pids[i]);
}

/* Of many tables, so that to look for hints around a fault takes long enough to be overtaken. */
static void test_hints_met_at_once(void **state)
{
	(void)state;
	with_hints(32 * SIZE, meet_at_once);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_balancing),
		cmocka_unit_test(test_hints_of_the_host),
		cmocka_unit_test(test_hints_met_at_once),
	};

	return SHIM_MAIN(cases);
}
