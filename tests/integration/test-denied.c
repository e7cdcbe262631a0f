/* SPDX-License-Identifier: MIT */
/* The real thing refused: the library falls back and says so, or fails where the caller requires
 * it. Every case runs in a process of its own, so that nothing has been probed before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "deny.h"
#include "mounts.h"
#include "object.h"

#define REGION (4 * pmd_size())
/* More than any pool; without a page of it in use this takes no memory. */
#define BEYOND_ANY_POOL ((size_t)1 << 40)

static void choose_freely(void)
{
	backend_id();
	check(unsetenv("MSHARE_BACKEND") == 0);
}

static struct mshare_attr attr_with(uint64_t flags, uint32_t prefer, uint32_t require)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	attr.flags = flags;
	attr.prefer = prefer;
	attr.require = require;
	return attr;
}

/* A region by another way than the best: usable, and mshare_stat() says why. */
static void falls_back(size_t size, uint32_t prefer, enum mshare_backend to, const char *because)
{
	struct mshare_attr attr = attr_with(MSHARE_NORESERVE, prefer, MSHARE_PAGES_AUTO);
	mshare_t r = mshare_create(NULL, size, &attr);
	struct mshare_stat st;
	char *p;

	check(r);
	st = region_stat(r, 0);
	check_equal(st.backend, to);
	check(strstr(st.reason, because));
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0);
	check(p != MAP_FAILED);
	bytes_fill(p, REGION, 1);
	bytes_check(p, REGION, 1);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static void is_refused(size_t size, uint32_t require)
{
	struct mshare_attr attr = attr_with(MSHARE_NORESERVE, MSHARE_PAGES_AUTO, require);

	check_refused(!mshare_create(NULL, size, &attr), EOPNOTSUPP);
}

static void probe_says_no(enum mshare_backend id)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	check(mshare_probe(&caps) == 0);
	check(caps.backend[id].error != 0);
	check(caps.backend[id].reason[0]);
	check_equal(caps.backend[id].page_size, 0);
}

static void without_hugetlb(void *arg)
{
	const enum mshare_backend next =
		backend_is(MSHARE_BACKEND_THP) ? MSHARE_BACKEND_THP : MSHARE_BACKEND_PLAIN;

	(void)arg;
	choose_freely();
	deny_hugetlb();
	if (next == MSHARE_BACKEND_PLAIN) {
		deny_thp();
		deny_shim();
	}
	probe_says_no(MSHARE_BACKEND_HUGETLB);
	falls_back(REGION, MSHARE_PAGES_AUTO, next, "hugetlb");
	falls_back(REGION, MSHARE_PAGES_PMD, next, "hugetlb");
	falls_back(REGION, MSHARE_PAGES_PUD, next, "hugetlb");
	is_refused(REGION, MSHARE_PAGES_PMD);
	is_refused(REGION, MSHARE_PAGES_PUD);
	check(setenv("MSHARE_BACKEND", "hugetlb", 1) == 0);
	check_refused(!mshare_create(NULL, REGION, NULL), EOPNOTSUPP);
}

static void hugetlb_denied(void **state)
{
	(void)state;
	child_run(without_hugetlb, NULL);
}

static void without_thp(void *arg)
{
	(void)arg;
	choose_freely();
	deny_hugetlb();
	deny_thp();
	deny_shim();
	probe_says_no(MSHARE_BACKEND_THP);
	falls_back(REGION, MSHARE_PAGES_THP, MSHARE_BACKEND_PLAIN, "thp");
	is_refused(REGION, MSHARE_PAGES_THP);
	check(setenv("MSHARE_BACKEND", "thp", 1) == 0);
	check_refused(!mshare_create(NULL, REGION, NULL), EOPNOTSUPP);
}

static void thp_denied(void **state)
{
	(void)state;
	child_run(without_thp, NULL);
}

static void without_shim(void *arg)
{
	mshare_t r;
	void *p;

	(void)arg;
	choose_freely();
	deny_shim();
	probe_says_no(MSHARE_BACKEND_SHIM);
	r = mshare_from_fd(disk_file(REGION), NULL);
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0);
	check(r && p != MAP_FAILED);
	check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_PLAIN);
	check(strstr(region_stat(r, 0).reason, "shim"));
	bytes_fill(p, REGION, 6);
	region_end(r);
}

static void shim_denied(void **state)
{
	(void)state;
	child_run(without_shim, NULL);
}

/* Collapsing worked when it was tried, and is refused when it is needed (no memory in one piece).
 */
static void collapse_refused_later(void *arg)
{
	struct mshare_caps caps = { .size = sizeof(caps) };
	mshare_t r;
	char *p;

	(void)arg;
	check(mshare_probe(&caps) == 0);
	check_equal(caps.backend[MSHARE_BACKEND_THP].error, 0);
	deny_thp();
	r = region_make(REGION);
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);
	check(p != MAP_FAILED);
	check_equal(region_stat(r, 0).used, REGION);
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes, 0);
	bytes_fill(p, REGION, 2);
	bytes_check(p, REGION, 2);
}

static void collapse_denied(void **state)
{
	(void)state;
	if (backend_is(MSHARE_BACKEND_THP))
		child_run(collapse_refused_later, NULL);
}

static void without_helper(void *arg)
{
	struct mshare_caps caps = { .size = sizeof(caps) };
	mshare_t r;
	char *p;

	(void)arg;
	check(setenv("MSHARE_HOST", "/nonexistent/mshare-host", 1) == 0);
	check(mshare_probe(&caps) == 0);
	check(!(caps.features & MSHARE_CAP_HOST));
	if (!(caps.features & MSHARE_CAP_THP_FAULT))
		check(strstr(caps.backend[MSHARE_BACKEND_THP].reason, "/nonexistent/mshare-host"));
	r = region_make(REGION);
	p = region_attach_all(r);
	bytes_fill(p, REGION, 3);
	check(!(region_stat(r, 0).flags & MSHARE_STAT_F_HOST));
	/* Populating needs no helper. */
	check(mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE) != MAP_FAILED);
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes >= REGION, 1);
}

static void helper_missing(void **state)
{
	(void)state;
	if (backend_is(MSHARE_BACKEND_THP))
		child_run(without_helper, NULL);
}

static void flush_file(bool uring_expected)
{
	mshare_t r = mshare_from_fd(disk_file(REGION), NULL);

	check(r);
	bytes_fill(region_attach_all(r), REGION, 4);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check_equal(!!(region_stat(r, 0).flags & MSHARE_STAT_F_IO_URING), uring_expected);
	region_end(r);
}

static bool uring_probed(void)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	check(mshare_probe(&caps) == 0);
	return caps.features & MSHARE_CAP_IO_URING;
}

static void with_io_uring(void *arg)
{
	(void)arg;
	flush_file(uring_probed());
}

static void without_io_uring(void *arg)
{
	deny_call(SYS_io_uring_setup, *(int *)arg);
	check(!uring_probed());
	flush_file(false);
}

/* Sandboxes say EPERM, kernels without it ENOSYS. */
static void io_uring_denied(void **state)
{
	int answers[] = { EPERM, ENOSYS, ENOMEM };

	(void)state;
	if (!backend_takes_files())
		return;
	child_run(with_io_uring, NULL);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		child_run(without_io_uring, &answers[i]);
}

static void larger_than_the_pool(void *arg)
{
	(void)arg;
	is_refused(BEYOND_ANY_POOL, MSHARE_PAGES_PMD);
	check_refused(!mshare_create(NULL, BEYOND_ANY_POOL, NULL), EOPNOTSUPP);
	choose_freely();
	deny_thp();
	deny_shim();
	falls_back(BEYOND_ANY_POOL, MSHARE_PAGES_AUTO, MSHARE_BACKEND_PLAIN, "huge pages");
}

static void pool_too_small(void **state)
{
	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB))
		child_run(larger_than_the_pool, NULL);
}

/* All but a few pages are taken by somebody else after the region was made: it has its own. */
static void pool_is_taken(void *arg)
{
	mshare_t r = region_make(REGION), last = r;

	(void)arg;
	while (last)
		last = mshare_create(NULL, REGION, NULL);
	check_equal(errno, EOPNOTSUPP);
	bytes_fill(region_attach_all(r), REGION, 5);
}

static void pool_taken(void **state)
{
	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB))
		child_run(pool_is_taken, NULL);
}

static void without_hugetlbfs(void *arg)
{
	const char *where = getenv("MSHARE_TEST_HUGETLBFS");
	char name[NAME_SIZE];
	mshare_t r;

	(void)arg;
	private_mounts();
	check(umount2(where, MNT_DETACH) == 0);
	check_refused(!mshare_create(name_make(name, "hugetlbfs"), REGION, NULL), EOPNOTSUPP);
	check(strstr(mshare_errmsg(), "hugetlbfs"));
	choose_freely();
	r = mshare_create(name, REGION, NULL);
	check(r);
	check(region_stat(r, 0).backend != MSHARE_BACKEND_HUGETLB);
	check(strstr(region_stat(r, 0).reason, "hugetlbfs"));
	check(mshare_unlink(name) == 0);
}

static void no_place_for_names(void **state)
{
	(void)state;
	if (!backend_is(MSHARE_BACKEND_HUGETLB))
		return;
	need_private_mounts("to unmount hugetlbfs");
	if (!getenv("MSHARE_TEST_HUGETLBFS"))
		skip_case("was not started by with-hugepages");
	child_run(without_hugetlbfs, NULL);
}

static void tables_are_not_shared(void *arg)
{
	struct mshare_attr attr =
		attr_with(MSHARE_REQUIRE_SHARED_TABLES, MSHARE_PAGES_AUTO, MSHARE_PAGES_AUTO);

	(void)arg;
	deny_shim();
	/* hugetlb shares tables, but not of a region as small as this one. */
	check_refused(!mshare_create(NULL, REGION, &attr), EOPNOTSUPP);
	choose_freely();
	check_refused(!mshare_create(NULL, REGION, &attr), EOPNOTSUPP);
	check(setenv("MSHARE_BACKEND", "shim", 1) == 0);
	check_refused(!mshare_create(NULL, REGION, NULL), EOPNOTSUPP);
	check_refused(!mshare_create(NULL, REGION, &attr), EOPNOTSUPP);
	probe_says_no(MSHARE_BACKEND_SHIM);
}

static void shared_tables_required(void **state)
{
	(void)state;
	child_run(tables_are_not_shared, NULL);
}

/* A forced backend does not fall back to another one. */
static void better_pages_required(void **state)
{
	(void)state;
	for (uint32_t pages = MSHARE_PAGES_BASE; pages <= MSHARE_PAGES_PUD; pages++) {
		struct mshare_attr attr = attr_with(0, MSHARE_PAGES_AUTO, pages);
		const uint32_t best = backend_is(MSHARE_BACKEND_PLAIN) ? MSHARE_PAGES_BASE
				      : backend_is(MSHARE_BACKEND_THP) ? MSHARE_PAGES_THP
								       : MSHARE_PAGES_PMD;
		mshare_t r;

		if (pages > best) {
			check_refused(!mshare_create(NULL, REGION, &attr), EOPNOTSUPP);
			continue;
		}
		r = region_make_with(REGION, &attr);
		check(region_stat(r, 0).pages >= pages);
		region_end(r);
	}
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(hugetlb_denied),	 cmocka_unit_test(thp_denied),
		cmocka_unit_test(shim_denied),		 cmocka_unit_test(collapse_denied),
		cmocka_unit_test(helper_missing),	 cmocka_unit_test(io_uring_denied),
		cmocka_unit_test(pool_too_small),	 cmocka_unit_test(pool_taken),
		cmocka_unit_test(no_place_for_names),	 cmocka_unit_test(shared_tables_required),
		cmocka_unit_test(better_pages_required),
	};

	return RUN_CASES(cases);
}
