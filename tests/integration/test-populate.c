/* SPDX-License-Identifier: MIT */
/* MSHARE_POPULATE: after attach returns, touching the region faults no more, and where the backend
 * has huge pages the region is in them. */
#include <errno.h>
#include <sys/mman.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static uninstrumented void touch(volatile char *p, size_t len, int prot)
{
	size_t step = page_size();

	for (size_t i = 0; i < len; i += step) {
		if (prot & PROT_WRITE)
			p[i] = 1;
		else
			(void)p[i];
	}
}

static long faults_of_touching(char *p, size_t len, int prot)
{
	long before;

	page_size();
	proc_minor_faults();
	before = proc_minor_faults();
	touch(p, len, prot);
	return proc_minor_faults() - before;
}

static char *populated(mshare_t r, size_t len, int prot)
{
	char *p = mshare_attach(r, NULL, 0, len, prot, MSHARE_POPULATE);

	check(p != MAP_FAILED);
	return p;
}

static void no_fault_left(int prot)
{
	mshare_t r = region_make(REGION);
	char *p = populated(r, REGION, prot);

	check_equal(faults_of_touching(p, REGION, prot), 0);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static void for_writing(void **state)
{
	(void)state;
	no_fault_left(READ_WRITE);
}

static void for_reading(void **state)
{
	(void)state;
	no_fault_left(PROT_READ);
}

/* What makes the two above mean something. */
static void without_it_there_are_faults(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	check(faults_of_touching(p, REGION, READ_WRITE) >= (long)(REGION / pmd_size()));
	region_end(r);
	check(munmap(p, REGION) == 0);
}

static void all_memory_is_there(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	check_equal(region_stat(r, 0).used, 0);
	populated(r, REGION, READ_WRITE);
	check_equal(region_stat(r, 0).used, REGION);
	region_end(r);
}

static void in_huge_pages(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = populated(r, REGION, READ_WRITE);
	uint64_t huge = backend_has_huge_pages() ? REGION : 0;

	(void)state;
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes, huge);
	if (backend_is(MSHARE_BACKEND_THP))
		check_equal(proc_smaps_bytes(p, "ShmemPmdMapped"), REGION);
	if (backend_is(MSHARE_BACKEND_HUGETLB))
		check_equal(proc_smaps_bytes(p, "Shared_Hugetlb") +
				    proc_smaps_bytes(p, "Private_Hugetlb"),
			    REGION);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

/* The bytes of a region that is in use are not disturbed by putting them into huge pages. */
static void keeps_contents(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r), *q;

	(void)state;
	bytes_fill(p, pmd_size() + page_size(), 2);
	q = populated(r, REGION, READ_WRITE);
	bytes_check(q, pmd_size() + page_size(), 2);
	bytes_check_zero(q + pmd_size() + page_size(), REGION - pmd_size() - page_size());
	bytes_fill(q, REGION, 3);
	bytes_check(p, REGION, 3);
	region_end(r);
}

static void last_part_is_small(void **state)
{
	const size_t size = pmd_size() + 5 * page_size();
	mshare_t r;
	char *p;
	int fd;

	(void)state;
	if (!backend_takes_shmem()) /* hugetlb files have no such length */
		return;
	fd = memory_file(size);
	r = mshare_from_fd(fd, NULL);
	check(r);
	p = populated(r, size, READ_WRITE);
	check_equal(faults_of_touching(p, size, READ_WRITE), 0);
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes,
		    backend_is(MSHARE_BACKEND_THP) ? pmd_size() : 0);
	check_equal(region_file(r).st_size, size);
	region_end(r);
}

static void a_part_leaves_the_rest_alone(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = populated(r, pmd_size(), READ_WRITE);

	(void)state;
	check_equal(faults_of_touching(p, pmd_size(), READ_WRITE), 0);
	check_equal(region_stat(r, 0).used, pmd_size());
	region_end(r);
}

static void second_process(void *arg)
{
	char *p = populated(arg, REGION, PROT_READ);

	check_equal(faults_of_touching(p, REGION, PROT_READ), 0);
	bytes_check(p, REGION, 4);
}

static void in_another_process(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	bytes_fill(region_attach_all(r), REGION, 4);
	child_run(second_process, r);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(for_writing),
		cmocka_unit_test(for_reading),
		cmocka_unit_test(without_it_there_are_faults),
		cmocka_unit_test(all_memory_is_there),
		cmocka_unit_test(in_huge_pages),
		cmocka_unit_test(keeps_contents),
		cmocka_unit_test(last_part_is_small),
		cmocka_unit_test(a_part_leaves_the_rest_alone),
		cmocka_unit_test(in_another_process),
	};

	return RUN_CASES(cases);
}
