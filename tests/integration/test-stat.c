/* SPDX-License-Identifier: MIT */
/* mshare_stat(): each field against what the kernel says, and structs of other releases. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())
#define PEERS 3

static const enum mshare_pages pages_of[MSHARE_BACKEND_COUNT] = {
	[MSHARE_BACKEND_PLAIN] = MSHARE_PAGES_BASE,
	[MSHARE_BACKEND_THP] = MSHARE_PAGES_THP,
	[MSHARE_BACKEND_HUGETLB] = MSHARE_PAGES_PMD,
	[MSHARE_BACKEND_SHIM] = MSHARE_PAGES_BASE,
};

static void geometry(void **state)
{
	mshare_t r = region_make(REGION);
	struct mshare_stat st = region_stat(r, 0);

	(void)state;
	check_equal(st.size, sizeof(st));
	check_equal(st.region_size, region_file(r).st_size);
	check_equal(st.page_size, backend_has_huge_pages() ? pmd_size() : page_size());
	check_equal(st.grid, pmd_size());
	check(st.alignment >= st.page_size && (st.alignment & (st.alignment - 1)) == 0);
	check_equal(st.backend, backend_id());
	check_equal(st.pages, pages_of[backend_id()]);
	check_equal(st.flags & (MSHARE_STAT_F_TRUNCATED | MSHARE_STAT_F_READ_ONLY), 0);
	check_equal(st.host_pid, 0);
	check_equal(st.faults, 0);
	check_equal(st.links, 0);
	check(memchr(st.reason, 0, sizeof(st.reason)));
	region_end(r);
}

static void only_what_was_wanted(void **state)
{
	mshare_t r = region_make(REGION);
	struct mshare_stat st;

	(void)state;
	mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);
	st = region_stat(r, 0);
	check_equal(st.attachers, 0);
	check_equal(st.table_bytes, 0);
	check_equal(st.huge_bytes, 0);
	st = region_stat(r, MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	check_equal(st.attachers, 1);
	check(st.table_bytes > 0);
	region_end(r);
}

static void counters(void **state)
{
	mshare_t r = region_make(REGION);
	char *p;

	(void)state;
	check_equal(region_stat(r, 0).attachments, 0);
	p = region_attach_all(r);
	region_attach_all(r);
	check_equal(region_stat(r, 0).attachments, 2);
	check(mshare_detach(r, p, REGION) == 0);
	check_equal(region_stat(r, 0).attachments, 1);
	check_equal(region_stat(r, 0).flushes, 0);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	check(mshare_flush(r, 0, 1, MSHARE_FLUSH_DISCARD) == -1);
	check_equal(region_stat(r, 0).flushes, 1);
	region_end(r);
}

static void used_is_what_the_file_takes(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	check_equal(region_stat(r, 0).used, 0);
	bytes_fill(p, pmd_size(), 1);
	check_equal(region_stat(r, 0).used, pmd_size());
	check_equal(region_stat(r, 0).used, (uint64_t)region_file(r).st_blocks * 512);
	region_end(r);
}

struct peers {
	struct signpost ready;
	struct signpost leave;
	mshare_t r;
	bool attach_again;
};

static void be_a_peer(void *arg)
{
	struct peers *peers = arg;

	if (peers->attach_again)
		region_attach_all(peers->r);
	signpost_raise(&peers->ready);
	signpost_await(&peers->leave);
}

/* mshare-host would be one more while it collapses something: keep it away. */
static void attachers_are_processes(void **state)
{
	char *host = getenv("MSHARE_HOST") ? strdup(getenv("MSHARE_HOST")) : NULL;
	struct peers peers = { .attach_again = true };
	pid_t pid[PEERS];

	(void)state;
	if (!backend_is(MSHARE_BACKEND_SHIM))
		setenv("MSHARE_HOST", "/nonexistent", 1);
	signpost_make(&peers.ready);
	signpost_make(&peers.leave);
	peers.r = region_make(REGION);
	check_equal(region_stat(peers.r, MSHARE_STAT_ATTACHERS).attachers, 0);
	for (int i = 0; i < PEERS; i++) {
		pid[i] = child_start(be_a_peer, &peers);
		signpost_await(&peers.ready);
		check_equal(region_stat(peers.r, MSHARE_STAT_ATTACHERS).attachers, i + 1);
	}
	for (int i = 0; i < PEERS; i++)
		signpost_raise(&peers.leave);
	for (int i = 0; i < PEERS; i++)
		child_wait(pid[i]);
	check_equal(region_stat(peers.r, MSHARE_STAT_ATTACHERS).attachers, 0);
	region_end(peers.r);
	if (host)
		setenv("MSHARE_HOST", host, 1);
	else
		unsetenv("MSHARE_HOST");
	free(host);
}

static void touch_pages(volatile char *p, size_t len)
{
	for (size_t i = 0; i < len; i += page_size())
		p[i] = 1;
}

/* Page tables of the whole process, by the kernel's count, before and after the region is used. */
static void tables_against_the_kernel(void *arg)
{
	mshare_t r = arg;
	uint64_t before = proc_status_bytes("VmPTE"), grown, said;
	char *p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);

	check(p != MAP_FAILED);
	touch_pages(p, REGION);
	grown = proc_status_bytes("VmPTE") - before;
	said = region_stat(r, MSHARE_STAT_TABLES).table_bytes;
	/* The kernel may count a table that other mappings share with this one. */
	check(said > 0 && said % page_size() == 0);
	check(said <= grown + 4 * page_size() && grown <= said + 4 * page_size());
	if (backend_is(MSHARE_BACKEND_PLAIN))
		check(said >= REGION / pmd_size() * page_size());
	if (backend_is(MSHARE_BACKEND_SHIM)) /* PMD tables only: it may lie over two of them */
		check(said <= 2 * page_size());
}

static void tables(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	child_run(tables_against_the_kernel, r);
	region_attach_all(r);
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes, 0);
	region_end(r);
}

struct later_stat {
	struct mshare_stat known;
	uint64_t unknown[4];
};

static void struct_of_a_later_release(void **state)
{
	mshare_t r = region_make(REGION);
	struct later_stat later;
	struct mshare_stat now = region_stat(r, 0);

	(void)state;
	memset(&later, 0xff, sizeof(later));
	later.known.size = sizeof(later);
	later.known.want = 0;
	check(mshare_stat(r, &later.known) == 0);
	check_equal(later.known.size, sizeof(later));
	check_equal(later.known.region_size, now.region_size);
	for (int i = 0; i < 4; i++)
		check_equal(later.unknown[i], 0);
	region_end(r);
}

static void bad_structs(void **state)
{
	mshare_t r = region_make(REGION);
	struct mshare_stat st = { .size = sizeof(st) - 1 };

	(void)state;
	check_refused(mshare_stat(r, NULL) == -1, EINVAL);
	check_refused(mshare_stat(r, &st) == -1, EINVAL);
	st.size = 0;
	check_refused(mshare_stat(r, &st) == -1, EINVAL);
	st.size = 4097;
	check_refused(mshare_stat(r, &st) == -1, E2BIG);
	st = (struct mshare_stat){ .size = sizeof(st), .want = 1ull << 40 };
	check_refused(mshare_stat(r, &st) == -1, EINVAL);
	region_end(r);
	st.want = 0;
	check_refused(mshare_stat(r, &st) == -1, EBADF);
	check_refused(mshare_stat(NULL, &st) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(geometry),
		cmocka_unit_test(only_what_was_wanted),
		cmocka_unit_test(counters),
		cmocka_unit_test(used_is_what_the_file_takes),
		cmocka_unit_test(attachers_are_processes),
		cmocka_unit_test(tables),
		cmocka_unit_test(struct_of_a_later_release),
		cmocka_unit_test(bad_structs),
	};

	return RUN_CASES(cases);
}
