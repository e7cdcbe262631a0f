/* SPDX-License-Identifier: MIT */
/* mshare_detach(): one attachment, whole, once; and what happens to those unmapped by hand. */
#include <errno.h>
#include <sys/mman.h>

#include "backend.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

/* Addresses can be given again only if they are on the grid. */
static mshare_t region_on_grid(void)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	attr.align = MSHARE_ALIGN_PMD;
	return region_make_with(REGION, &attr);
}

static void whole(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 1);
	check(mshare_detach(r, p, REGION) == 0);
	check(!proc_mapped(p, REGION));
	check_equal(region_stat(r, 0).attachments, 0);
	p = region_attach_all(r);
	bytes_check(p, REGION, 1);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static void parts_are_refused(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	struct proc_mapping m;

	(void)state;
	check_refused(mshare_detach(r, p, REGION - pmd_size()) == -1, EINVAL);
	check_refused(mshare_detach(r, p + pmd_size(), REGION - pmd_size()) == -1, EINVAL);
	check_refused(mshare_detach(r, p + pmd_size(), REGION) == -1, EINVAL);
	check_refused(mshare_detach(r, p, REGION + pmd_size()) == -1, EINVAL);
	check_refused(mshare_detach(r, p, 0) == -1, EINVAL);
	check_refused(mshare_detach(r, p, SIZE_MAX) == -1, EINVAL);
	check(proc_mapping_at(p, &m));
	check_equal(m.end - m.start, REGION);
	check_equal(region_stat(r, 0).attachments, 1);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static void twice(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	check(mshare_detach(r, p, REGION) == 0);
	check_refused(mshare_detach(r, p, REGION) == -1, EINVAL);
	region_end(r);
}

static void foreign_addresses(void **state)
{
	mshare_t r = region_make(REGION), other = mshare_from_fd(mshare_fd(r), NULL);
	char *p = region_attach_all(r), *q;
	char *anonymous = mmap(NULL, REGION, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *direct = mmap(NULL, REGION, READ_WRITE, MAP_SHARED, mshare_fd(r), 0);

	(void)state;
	check(other && anonymous != MAP_FAILED && direct != MAP_FAILED);
	q = region_attach_all(other);
	check_refused(mshare_detach(r, q, REGION) == -1, EINVAL);
	check_refused(mshare_detach(other, p, REGION) == -1, EINVAL);
	check_refused(mshare_detach(r, anonymous, REGION) == -1, EINVAL);
	check_refused(mshare_detach(r, direct, REGION) == -1, EINVAL);
	check_refused(mshare_detach(r, NULL, REGION) == -1, EINVAL);
	check_refused(mshare_detach(r, p + 1, REGION) == -1, EINVAL);
	check(proc_mapped(anonymous, 1) && proc_mapped(direct, 1));
	check(mshare_detach(r, p, REGION) == 0 && mshare_detach(other, q, REGION) == 0);
	check(munmap(anonymous, REGION) == 0 && munmap(direct, REGION) == 0);
	region_end(other);
	region_end(r);
}

static void others_stay(void **state)
{
	mshare_t r = region_make(REGION);
	char *first = region_attach_all(r), *second = region_attach_all(r);

	(void)state;
	bytes_fill(first, REGION, 2);
	check(mshare_detach(r, first, REGION) == 0);
	bytes_check(second, REGION, 2);
	check_equal(region_stat(r, 0).attachments, 1);
	check(mshare_detach(r, second, REGION) == 0);
	region_end(r);
}

/* The address comes into use again, by the same handle: one attachment, not two. */
static void unmapped_by_hand(void **state)
{
	mshare_t r = region_on_grid();
	char *p = region_attach_all(r);

	(void)state;
	check(munmap(p, REGION) == 0);
	check(mshare_attach(r, p, 0, REGION, READ_WRITE, MSHARE_FIXED) == p);
	check_equal(region_stat(r, 0).attachments, 1);
	bytes_fill(p, REGION, 3);
	check(mshare_detach(r, p, REGION) == 0);
	check(!proc_mapped(p, REGION));
	check_refused(mshare_detach(r, p, REGION) == -1, EINVAL);
	region_end(r);
}

/* ... and with another length. */
static void unmapped_by_hand_and_smaller(void **state)
{
	mshare_t r = region_on_grid();
	char *p = region_attach_all(r);

	(void)state;
	check(munmap(p, REGION) == 0);
	check(mshare_attach(r, p, 0, pmd_size(), READ_WRITE, MSHARE_FIXED) == p);
	check_equal(region_stat(r, 0).attachments, 1);
	check_refused(mshare_detach(r, p, REGION) == -1, EINVAL);
	check(mshare_detach(r, p, pmd_size()) == 0);
	region_end(r);
}

/* ... by another handle: the first one must not take it away. */
static void unmapped_by_hand_then_foreign(void **state)
{
	mshare_t first = region_on_grid(), second = region_on_grid();
	char *p = region_attach_all(first);
	struct proc_mapping m;

	(void)state;
	check(munmap(p, REGION) == 0);
	check(mshare_attach(second, p, 0, REGION, READ_WRITE, MSHARE_FIXED) == p);
	check_refused(mshare_detach(first, p, REGION) == -1, EINVAL);
	check(proc_mapping_at(p, &m));
	check_equal(m.dev, region_file(second).st_dev);
	check_equal(m.ino, region_file(second).st_ino);
	check(mshare_detach(second, p, REGION) == 0);
	region_end(first);
	region_end(second);
}

/* Closing the handle leaves the memory; the handle can no longer be used to take it away. */
static void after_close(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 4);
	region_end(r);
	check_refused(mshare_detach(r, p, REGION) == -1, EBADF);
	bytes_check(p, REGION, 4);
	check(munmap(p, REGION) == 0);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(parts_are_refused),
		cmocka_unit_test(twice),
		cmocka_unit_test(foreign_addresses),
		cmocka_unit_test(others_stay),
		cmocka_unit_test(unmapped_by_hand),
		cmocka_unit_test(unmapped_by_hand_and_smaller),
		cmocka_unit_test(unmapped_by_hand_then_foreign),
		cmocka_unit_test(after_close),
	};

	return RUN_CASES(cases);
}
