/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* splitmix64: small, fast, and good enough to spread requests. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t seed_of(unsigned int id)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid() << 16 ^ id;
}

/*
 * What the kernel spends on page tables for this process, kB. Whole tables: entries of huge pages
 * may fit into one that the process has anyway, for its libraries or its stack.
 */
static uint64_t page_table_kb(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long kb = 0;
	char line[256];

	if (!status)
		err(EXIT_FAILURE, "cannot open /proc/self/status");
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPTE: %llu kB", &kb) == 1)
			break;
	fclose(status);
	return kb;
}

static uint64_t faults_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* One request: find the row with this key and check that it is that row and whole. */
static bool read_row(struct pool_user *user, uint64_t key, bool *right)
{
	const struct page *page = pool_pin(user, key / ROWS_PER_PAGE);

	if (!page)
		return false;
	*right = page->number == key / ROWS_PER_PAGE &&
		 row_is_right(&page->rows[key % ROWS_PER_PAGE], key);
	pool_unpin(user, page);
	return true;
}

static bool has_more_to_do(const struct crew_plan *plan, struct board *board,
			   const struct worker_report *report)
{
	if (atomic_load_explicit(&board->stop, memory_order_relaxed))
		return false;
	return plan->seconds > 0 || report->requests < plan->requests;
}

static bool work(const struct crew_plan *plan, struct board *board, struct pool_user *user)
{
	struct worker_report *report = &board->reports[user->id];
	uint64_t missed_before = report->misses;
	uint64_t random = seed_of(user->id);

	while (has_more_to_do(plan, board, report)) {
		uint64_t key = next_random(&random) % (plan->data_pages * ROWS_PER_PAGE);
		bool right;

		if (!read_row(user, key, &right)) {
			warn("worker %u cannot get page %llu", user->id,
			     (unsigned long long)key / ROWS_PER_PAGE);
			return false;
		}
		/* Only this worker writes its report: plain additions, visible to the others. */
		atomic_store_explicit(&report->requests, report->requests + 1,
				      memory_order_relaxed);
		atomic_store_explicit(&report->misses, missed_before + user->misses,
				      memory_order_relaxed);
		if (!right)
			atomic_fetch_add(&report->wrong, 1);
	}
	return true;
}

int worker_run(const struct crew_plan *plan, struct board *board, unsigned int id, bool doomed)
{
	struct pool_user user = {
		.pool = plan->pool, .id = id, .data_fd = plan->data_fd, .die_evicting = doomed
	};
	uint64_t tables = page_table_kb(), now_tables;
	uint64_t faults = faults_so_far();

	if (!work(plan, board, &user))
		return EXIT_FAILURE;
	board->reports[id].faults = faults_so_far() - faults;
	now_tables = page_table_kb();
	board->reports[id].table_kb = now_tables > tables ? now_tables - tables : 0;
	return EXIT_SUCCESS;
}
