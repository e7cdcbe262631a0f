/* SPDX-License-Identifier: MIT */
/*
 * One mshare_protect(), every attached process: where page tables are shared. With other backends
 * it is refused, and nobody's rights have changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "crew.h"
#include "object.h"

#define REGION (4 * pmd_size())
#define CREW 6

static bool is_enforced(void)
{
	return backend_is(MSHARE_BACKEND_SHIM);
}

static void refused_elsewhere(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 2, READ_WRITE);

	(void)state;
	if (!is_enforced()) {
		check_refused(mshare_protect(r, 0, 0, PROT_READ) == -1, EOPNOTSUPP);
		check_refused(mshare_protect(r, 0, 0, PROT_NONE) == -1, EOPNOTSUPP);
		check_refused(mshare_protect(r, 0, 0, READ_WRITE) == -1, EOPNOTSUPP);
	}
	crew_touch(&crew, 0, true, 0);
	crew_end(&crew);
	region_end(r);
}

static void binds_everybody(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, CREW, READ_WRITE);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 3);
	for (int i = 0; i < 3 && is_enforced(); i++) {
		crew_touch(&crew, 0, true, 0);
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		crew_touch(&crew, 0, true, SIGSEGV);
		crew_touch(&crew, REGION - 1, true, SIGSEGV);
		crew_touch(&crew, REGION - 1, false, 0);
		check_equal(access_signal(p, true), SIGSEGV);
		check(mshare_protect(r, 0, 0, PROT_NONE) == 0);
		crew_touch(&crew, pmd_size(), false, SIGSEGV);
		check_equal(access_signal(p, false), SIGSEGV);
		check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
		bytes_check(p, REGION, 3);
		check_equal(access_signal(p, true), 0);
	}
	crew_touch(&crew, 0, true, 0);
	crew_end(&crew);
	region_end(r);
}

/* Pages beside it keep their rights. */
static void of_a_part(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, CREW, READ_WRITE);
	const off_t page = (off_t)page_size();

	(void)state;
	if (is_enforced()) {
		check(mshare_protect(r, page, page_size(), PROT_READ) == 0);
		crew_touch(&crew, page_size() - 1, true, 0);
		crew_touch(&crew, page_size(), true, SIGSEGV);
		crew_touch(&crew, page_size(), false, 0);
		crew_touch(&crew, 2 * page_size(), true, 0);
		check(mshare_protect(r, (off_t)pmd_size(), pmd_size(), PROT_NONE) == 0);
		crew_touch(&crew, pmd_size() - 1, true, 0);
		crew_touch(&crew, pmd_size(), false, SIGSEGV);
		crew_touch(&crew, 2 * pmd_size(), true, 0);
		check_refused(mshare_protect(r, page, page_size(), PROT_NONE) == -1, EINVAL);
	}
	crew_end(&crew);
	region_end(r);
}

/* Whose entries are read-only now and then anyway: the kernel wants to know of each first write. */
static void of_a_regular_file(void **state)
{
	int fd = disk_file(REGION);
	struct crew crew;
	mshare_t r;

	(void)state;
	if (is_enforced()) {
		r = mshare_from_fd(fd, NULL);
		check(r);
		crew = crew_start(r, CREW, READ_WRITE);
		for (int i = 0; i < 3; i++) {
			crew_touch(&crew, page_size(), true, 0);
			check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
			check(mshare_protect(r, 0, 0, PROT_READ) == 0);
			crew_touch(&crew, page_size(), false, 0);
			crew_touch(&crew, page_size(), true, SIGSEGV);
			crew_touch(&crew, 2 * page_size(), true, SIGSEGV);
			check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
		}
		crew_end(&crew);
		region_end(r);
	}
	close(fd);
}

/* A child of a process that is attached. */
static void touch_as_child(void *at)
{
	check_equal(access_signal(at, false), 0);
	check_equal(access_signal(at, true), SIGSEGV);
}

static void inherited(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	p[0] = 1;
	if (is_enforced()) {
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		child_run(touch_as_child, p);
		check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
	}
	p[0] = 2;
	region_end(r);
}

/* A right that an attachment never had is not given. */
static void readers_stay_readers(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew readers = crew_start(r, 2, PROT_READ);
	struct crew writers = crew_start(r, 2, READ_WRITE);

	(void)state;
	for (int i = 0; i < 2; i++) {
		crew_touch(&readers, 0, false, 0);
		crew_touch(&readers, 0, true, SIGSEGV);
		crew_touch(&writers, 0, true, 0);
		if (!is_enforced())
			break;
		check(mshare_protect(r, 0, 0, PROT_NONE) == 0);
		crew_touch(&readers, 0, false, SIGSEGV);
		crew_touch(&writers, 0, false, SIGSEGV);
		check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
	}
	crew_end(&readers);
	crew_end(&writers);
	region_end(r);
}

static void system_calls_fail(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int ends[2];

	(void)state;
	check(zero >= 0 && pipe(ends) == 0);
	p[0] = 1;
	if (is_enforced()) {
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		check(read(zero, p, 1) == -1 && errno == EFAULT);
		check(write(ends[1], p, 1) == 1);
		check(mshare_protect(r, 0, 0, PROT_NONE) == 0);
		check(write(ends[1], p, 1) == -1 && errno == EFAULT);
		check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
	}
	check_equal(p[0], 1);
	check(read(zero, p, 1) == 1);
	close(zero);
	close(ends[0]);
	close(ends[1]);
	region_end(r);
}

static void who_comes_later(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	struct crew late;

	(void)state;
	if (!is_enforced()) {
		region_end(r);
		return;
	}
	check(mshare_protect(r, 0, pmd_size(), PROT_READ) == 0);
	late = crew_start(r, 2, READ_WRITE);
	crew_touch(&late, 0, true, SIGSEGV);
	crew_touch(&late, pmd_size(), true, 0);
	crew_end(&late);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

static mshare_t opened_without_wishes(mshare_t r)
{
	const char *backend = getenv("MSHARE_BACKEND");
	char *forced = backend ? strdup(backend) : NULL;
	mshare_t again;

	unsetenv("MSHARE_BACKEND");
	again = mshare_from_fd(mshare_fd(r), NULL);
	check(again);
	if (forced)
		setenv("MSHARE_BACKEND", forced, 1);
	free(forced);
	return again;
}

/* Who does not say how it wants to share gets the tables that there are, and so is bound. */
static void who_opens_it_later(void **state)
{
	mshare_t r = region_make(REGION), again;
	char *p = region_attach_all(r), *q;

	(void)state;
	if (is_enforced()) {
		check(mshare_protect(r, 0, pmd_size(), PROT_READ) == 0);
		again = opened_without_wishes(r);
		q = region_attach_all(again);
		check_equal(region_stat(again, 0).backend, MSHARE_BACKEND_SHIM);
		check_equal(access_signal(q, true), SIGSEGV);
		check_equal(access_signal(q + pmd_size(), true), 0);
		check(mshare_detach(again, q, REGION) == 0);
		check(mshare_close(again) == 0);
	}
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

/* What no host can reach is found before anything is done. */
static void mapped_by_itself(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 2, READ_WRITE);
	char *own;

	(void)state;
	if (is_enforced()) {
		own = mmap(NULL, REGION, READ_WRITE, MAP_SHARED, mshare_fd(r), 0);
		check(own != MAP_FAILED);
		check_refused(mshare_protect(r, 0, 0, PROT_READ) == -1, EBUSY);
		crew_touch(&crew, 0, true, 0);
		check(mprotect(own, REGION, PROT_READ) == 0);
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		check_refused(mshare_protect(r, 0, 0, PROT_NONE) == -1, EBUSY);
		crew_touch(&crew, 0, false, 0);
		check(munmap(own, REGION) == 0);
		check(mshare_protect(r, 0, 0, PROT_NONE) == 0);
		crew_touch(&crew, 0, false, SIGSEGV);
	}
	crew_end(&crew);
	region_end(r);
}

static void forgotten_when_nobody_is_attached(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	if (is_enforced()) {
		char *p;

		check_refused(mshare_protect(r, 0, 0, PROT_READ) == -1, ENOTCONN);
		p = region_attach_all(r);
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		check_equal(access_signal(p, true), SIGSEGV);
		check(mshare_detach(r, p, REGION) == 0);
		while (region_stat(r, 0).flags & MSHARE_STAT_F_HOST)
			usleep(10000);
		p = region_attach_all(r);
		check_equal(access_signal(p, true), 0);
	}
	region_end(r);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);
	mshare_t reader = region_reopen(r, O_RDONLY);
	char *p = region_attach_all(r);

	(void)state;
	check_refused(mshare_protect(r, 0, 0, PROT_EXEC | PROT_READ) == -1, EINVAL);
	check_refused(mshare_protect(r, 0, 0, PROT_WRITE) == -1, EINVAL);
	check_refused(mshare_protect(reader, 0, 0, PROT_READ) == -1, EACCES);
	if (is_enforced()) {
		check_refused(mshare_protect(r, -1, 0, PROT_READ) == -1, EINVAL);
		check_refused(mshare_protect(r, 1, 0, PROT_READ) == -1, EINVAL);
		check_refused(mshare_protect(r, 0, 1, PROT_READ) == -1, EINVAL);
		check_refused(mshare_protect(r, 0, REGION + 1, PROT_READ) == -1, ENXIO);
		check(mshare_protect(r, (off_t)REGION, 0, PROT_NONE) == 0);
	}
	check_equal(access_signal(p, true), 0);
	region_end(reader);
	region_end(r);
	check_refused(mshare_protect(r, 0, 0, PROT_READ) == -1, EBADF);
	check_refused(mshare_protect(NULL, 0, 0, PROT_READ) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(refused_elsewhere),
		cmocka_unit_test(binds_everybody),
		cmocka_unit_test(of_a_part),
		cmocka_unit_test(of_a_regular_file),
		cmocka_unit_test(inherited),
		cmocka_unit_test(readers_stay_readers),
		cmocka_unit_test(system_calls_fail),
		cmocka_unit_test(who_comes_later),
		cmocka_unit_test(who_opens_it_later),
		cmocka_unit_test(mapped_by_itself),
		cmocka_unit_test(forgotten_when_nobody_is_attached),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
