/* SPDX-License-Identifier: MIT */
/* From PUD size on (1 GiB on x86-64) the kernel lets processes share the PMD tables of a hugetlb
 * region: what one process has faulted in, the next finds in place. */
#include <errno.h>
#include <sys/mman.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (mshare_align(1, MSHARE_ALIGN_PUD))
#define PAGES (REGION / pmd_size())

static uninstrumented void touch(volatile char *p)
{
	const size_t size = REGION, step = pmd_size();

	for (size_t i = 0; i < size; i += step)
		p[i] = 1;
}

static long faults_of_touching(char *p)
{
	long before;

	proc_minor_faults();
	before = proc_minor_faults();
	touch(p);
	return proc_minor_faults() - before;
}

static void attach_and_touch(void *arg)
{
	char *p = region_attach_all(arg);

	check(faults_of_touching(p) < (long)(PAGES / 8));
	check(mshare_detach(arg, p, REGION) == 0);
}

/* The same pages at an address where the tables cannot be shared: one fault each. */
static void map_elsewhere_and_touch(void *arg)
{
	char *room = mmap(NULL, 3 * REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = (char *)mshare_align((size_t)room, MSHARE_ALIGN_PUD) + pmd_size();

	check(room != MAP_FAILED);
	check(mmap(p, REGION, READ_WRITE, MAP_SHARED | MAP_FIXED, mshare_fd(arg), 0) == p);
	check(faults_of_touching(p) >= (long)PAGES);
}

static mshare_t pud_region(void)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t r;

	attr.flags = MSHARE_REQUIRE_SHARED_TABLES;
	r = mshare_create(NULL, REGION, &attr);
	if (!r && errno == EOPNOTSUPP)
		skip_case(mshare_errmsg());
	check(r);
	return r;
}

static void tables_are_shared(void **state)
{
	mshare_t r = pud_region();
	struct mshare_stat st = region_stat(r, 0);
	char *p = region_attach_all(r);

	(void)state;
	check(st.flags & MSHARE_STAT_F_SHARED_TABLES);
	check_equal(st.alignment, REGION);
	check_equal(st.region_size, REGION);
	check_equal((uintptr_t)p % REGION, 0);
	touch(p);
	child_run(attach_and_touch, r);
	child_run(map_elsewhere_and_touch, r);
	st = region_stat(r, MSHARE_STAT_TABLES);
	check_equal(st.huge_bytes, REGION);
	check(st.table_bytes > 0 && st.table_bytes <= 2 * page_size());
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(tables_are_shared),
	};

	return RUN_CASES(cases);
}
