/* SPDX-License-Identifier: MIT */
/*
 * mshare_advise(): what is about the memory works for all on every backend; the rest is the host's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "crew.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static const int of_the_host[] = { MSHARE_ADVICE_COLD,	   MSHARE_ADVICE_PAGEOUT,
				   MSHARE_ADVICE_HUGEPAGE, MSHARE_ADVICE_NOHUGEPAGE,
				   MSHARE_ADVICE_DONTDUMP, MSHARE_ADVICE_DODUMP };
#define OF_THE_HOST (sizeof(of_the_host) / sizeof(of_the_host[0]))

static void populates(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	check_equal(region_stat(r, 0).used, 0);
	check(mshare_advise(r, (off_t)pmd_size(), pmd_size(), MSHARE_ADVICE_POPULATE) == 0);
	check_equal(region_stat(r, 0).used, pmd_size());
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_POPULATE) == 0);
	check_equal(region_stat(r, 0).used, REGION);
	bytes_check_zero(p, REGION);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_DISCARD) == 0);
	check_equal(region_stat(r, 0).used, 0);
	region_end(r);
}

/* Nothing of the library stays behind. */
static void leaves_nothing(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	struct proc_footprint before;

	(void)state;
	bytes_fill(p, REGION, 1);
	before = proc_footprint();
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_WILLNEED) == 0);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_POPULATE) == 0);
	proc_check_footprint(&before, "advice");
	bytes_check(p, REGION, 1);
	region_end(r);
}

/* Pieces that hold nothing stay empty, and the offset of the descriptor is left alone. */
static void collapses(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p + pmd_size(), page_size(), 2);
	if (mshare_advise(r, 0, 0, MSHARE_ADVICE_COLLAPSE) == 0) {
		check_equal(region_stat(r, 0).used, pmd_size());
	} else {
		struct mshare_caps caps = { .size = sizeof(caps) };

		check_equal(errno, EOPNOTSUPP);
		check(mshare_probe(&caps) == 0 && !(caps.features & MSHARE_CAP_THP_COLLAPSE));
	}
	check_equal(lseek(mshare_fd(r), 0, SEEK_CUR), 0);
	bytes_check(p + pmd_size(), page_size(), 2);
	bytes_check_zero(p + pmd_size() + page_size(), REGION - pmd_size() - page_size());
	check(page_size() == pmd_size() ||
	      mshare_advise(r, (off_t)page_size(), 0, MSHARE_ADVICE_COLLAPSE) == -1);
	region_end(r);
}

static void about_tables(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 3, READ_WRITE);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 3);
	for (size_t i = 0; i < OF_THE_HOST; i++) {
		int advice = of_the_host[i];

		if (backend_is(MSHARE_BACKEND_SHIM))
			check(mshare_advise(r, 0, 0, advice) == 0);
		else
			check_refused(mshare_advise(r, 0, 0, advice) == -1, EOPNOTSUPP);
		bytes_check(p, REGION, 3);
		crew_touch(&crew, pmd_size(), true, 0);
	}
	crew_end(&crew);
	region_end(r);
}

static void of_a_regular_file(void **state)
{
	int fd = disk_file(REGION);
	mshare_t r;

	(void)state;
	if (!backend_takes_files()) {
		close(fd);
		return;
	}
	r = mshare_from_fd(fd, NULL);
	check(r);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_WILLNEED) == 0);
	check(mshare_advise(r, 0, 0, MSHARE_ADVICE_POPULATE) == 0);
	check_refused(mshare_advise(r, 0, 0, MSHARE_ADVICE_COLLAPSE) == -1, EOPNOTSUPP);
	region_end(r);
	close(fd);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	check_refused(mshare_advise(r, 0, 0, 0) == -1, EINVAL);
	check_refused(mshare_advise(r, 0, 0, MSHARE_ADVICE_DODUMP + 1) == -1, EINVAL);
	check_refused(mshare_advise(r, -1, 0, MSHARE_ADVICE_POPULATE) == -1, EINVAL);
	check_refused(mshare_advise(r, 1, 0, MSHARE_ADVICE_POPULATE) == -1, EINVAL);
	check_refused(mshare_advise(r, 0, 1, MSHARE_ADVICE_WILLNEED) == -1, EINVAL);
	check_refused(mshare_advise(r, 0, REGION + 1, MSHARE_ADVICE_POPULATE) == -1, ENXIO);
	check(mshare_advise(r, (off_t)REGION, 0, MSHARE_ADVICE_POPULATE) == 0);
	check_equal(region_stat(r, 0).used, 0);
	region_end(r);
	check_refused(mshare_advise(r, 0, 0, MSHARE_ADVICE_POPULATE) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(populates),	     cmocka_unit_test(leaves_nothing),
		cmocka_unit_test(collapses),	     cmocka_unit_test(about_tables),
		cmocka_unit_test(of_a_regular_file), cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
