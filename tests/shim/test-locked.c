/* SPDX-License-Identifier: MIT */
/*
 * What mshare_lock() is for: no reclaim, hence no invalidation. The kernel is made to reclaim what
 * the host is charged for.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "hosts.h"
#include "verify.h"
#include "view.h"

#define SIZE (16 * MIB)
#define PAGES (SIZE / PAGE)
/* The kernel passes over pages that lie in a processor's batch for its lists. */
#define FEW 128
#define SALT 10
#define GROUP "/sys/fs/cgroup/shim-locked"

static void enter_group(void)
{
	char pid[16];

	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	snprintf(pid, sizeof(pid), "%d", getpid());
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
}

/* As much as there is; EAGAIN: it was less. */
static void reclaim(void)
{
	int err = write_text(GROUP "/memory.reclaim", "64M");

	check(err == 0 || err == -EAGAIN);
}

static size_t pages_in_memory(mshare_t r)
{
	return cached_pages(mshare_fd(r), SIZE);
}

static uint64_t invalidations(mshare_t r)
{
	return view_query(mshare_fd(r), READ_WRITE).invalidations;
}

static bool all_is_reclaimed(mshare_t r)
{
	reclaim();
	return pages_in_memory(r) <= FEW;
}

static void locked_memory_stays(void *arg)
{
	uint64_t before;
	mshare_t r;
	char *at;

	(void)arg;
	enter_group();
	r = region_make(SIZE);
	at = region_attach_all(r);
	is_shared(r);
	bytes_fill(at, SIZE, SALT);
	check(mshare_lock(r, 0, 0) == 0);
	bytes_check(at, SIZE, SALT);
	before = invalidations(r);
	for (int i = 0; i < 5; i++)
		reclaim();
	check_equal(pages_in_memory(r), PAGES);
	check_equal(invalidations(r), before);
	check(mshare_unlock(r, 0, 0) == 0);
	check(COMES_TRUE(all_is_reclaimed(r)));
	check(invalidations(r) > before);
	bytes_check(at, SIZE, SALT);
	check(mshare_detach(r, at, SIZE) == 0);
	region_end(r);
	nobody_hosts();
}

static void test_locked_memory_stays(void **state)
{
	(void)state;
	nobody_hosts();
	swap_begin();
	child_run(locked_memory_stays, NULL);
	check(COMES_TRUE(rmdir(GROUP) == 0));
	swap_end();
}

int main(void)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(test_locked_memory_stays) };

	return HOSTS_MAIN(cases);
}
