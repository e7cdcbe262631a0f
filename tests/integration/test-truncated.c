/* SPDX-License-Identifier: MIT */
/* Files that change their size while they are regions: SIGBUS past the new end, as mmap(2) says,
 * and mshare_stat() tells; what is added can be attached. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static sigjmp_buf after_sigbus;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(after_sigbus, 1);
}

static bool raises_sigbus(volatile char *p)
{
	struct sigaction action = { .sa_handler = on_sigbus }, before;
	volatile bool raised = true;

	check(sigaction(SIGBUS, &action, &before) == 0);
	if (sigsetjmp(after_sigbus, 1) == 0) {
		(void)p[0];
		raised = false;
	}
	check(sigaction(SIGBUS, &before, NULL) == 0);
	return raised;
}

static void shorten(mshare_t r, size_t size)
{
	check(ftruncate(mshare_fd(r), (off_t)size) == 0);
}

static void shrinks(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 1);
	check(!(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED));
	shorten(r, REGION / 2);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED);
	check_equal(region_size(r), REGION / 2);
	bytes_check(p, REGION / 2, 1);
	check(raises_sigbus(p + REGION / 2));
	check(raises_sigbus(p + REGION - 1));
	check(!raises_sigbus(p + REGION / 2 - 1));
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static void every_call_survives(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 2);
	shorten(r, pmd_size());
	region_stat(r, MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	check_refused(mshare_flush(r, 0, REGION, MSHARE_FLUSH_DISCARD) == -1, ENXIO);
	check(mshare_detach(r, p, REGION) == 0);
	shorten(r, 0);
	check_equal(region_size(r), 0);
	check_refused(mshare_attach(r, NULL, 0, 1, PROT_READ, 0) == MAP_FAILED, ENXIO);
	region_end(r);
}

static void attach_ends_at_the_new_end(void **state)
{
	mshare_t r = region_make(REGION);
	char *p;

	(void)state;
	shorten(r, REGION / 2);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED, ENXIO);
	check_refused(mshare_attach(r, NULL, (off_t)(REGION / 2), 1, PROT_READ, MSHARE_POPULATE) ==
			      MAP_FAILED,
		      ENXIO);
	p = mshare_attach(r, NULL, 0, REGION / 2, READ_WRITE, MSHARE_POPULATE);
	check(p != MAP_FAILED);
	bytes_fill(p, REGION / 2, 3);
	check(mshare_detach(r, p, REGION / 2) == 0);
	region_end(r);
}

static void grows(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r), *rest;

	(void)state;
	bytes_fill(p, REGION, 4);
	check(ftruncate(mshare_fd(r), (off_t)(2 * REGION)) == 0);
	check_equal(region_size(r), 2 * REGION);
	check(!(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED));
	rest = mshare_attach(r, NULL, (off_t)REGION, REGION, READ_WRITE, 0);
	check(rest != MAP_FAILED);
	bytes_check_zero(rest, REGION);
	bytes_fill(rest, REGION, 5);
	bytes_check(p, REGION, 4);
	check_refused(mshare_attach(r, NULL, (off_t)REGION, REGION + 1, PROT_READ, 0) == MAP_FAILED,
		      ENXIO);
	region_end(r);
}

static void shrinks_and_grows_again(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 6);
	shorten(r, REGION / 2);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED);
	check(ftruncate(mshare_fd(r), (off_t)REGION) == 0);
	bytes_check(p, REGION / 2, 6);
	bytes_check_zero(p + REGION / 2, REGION / 2);
	check(!(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED));
	region_end(r);
}

static void cut_the_file(void *arg)
{
	shorten(arg, pmd_size());
}

static void by_another_process(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = mshare_create(name_make(name, "cut"), REGION, NULL);
	char *p;

	(void)state;
	check(r);
	p = region_attach_all(r);
	bytes_fill(p, REGION, 7);
	child_run(cut_the_file, r);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED);
	bytes_check(p, pmd_size(), 7);
	check(raises_sigbus(p + pmd_size()));
	check(mshare_unlink(name) == 0);
	region_end(r);
}

/* The caveat's remedy. */
static void sealed_file_cannot_shrink(void **state)
{
	const unsigned int huge = backend_takes_shmem() ? 0 : MFD_HUGETLB;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge);
	mshare_t r;

	(void)state;
	check(fd >= 0 && ftruncate(fd, (off_t)REGION) == 0);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check(ftruncate(mshare_fd(r), (off_t)pmd_size()) == -1 && errno == EPERM);
	check_equal(region_size(r), REGION);
	region_end(r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(shrinks),
		cmocka_unit_test(every_call_survives),
		cmocka_unit_test(attach_ends_at_the_new_end),
		cmocka_unit_test(grows),
		cmocka_unit_test(shrinks_and_grows_again),
		cmocka_unit_test(by_another_process),
		cmocka_unit_test(sealed_file_cannot_shrink),
	};

	return RUN_CASES(cases);
}
