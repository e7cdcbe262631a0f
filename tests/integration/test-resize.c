/* SPDX-License-Identifier: MIT */
/*
 * mshare_resize() and mshare_revoke(): who is attached keeps addresses and bytes, can have the
 * rest, and gets SIGBUS where it was cut off.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "crew.h"
#include "object.h"

#define REGION (4 * pmd_size())

static void grows(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew before = crew_start(r, 3, READ_WRITE);
	char *p = region_attach_all(r), *rest;
	struct crew after;

	(void)state;
	bytes_fill(p, REGION, 1);
	check(mshare_resize(r, 2 * REGION) == 0);
	check_equal(region_size(r), 2 * REGION);
	rest = mshare_attach(r, NULL, (off_t)REGION, REGION, READ_WRITE, 0);
	check(rest != MAP_FAILED);
	bytes_check_zero(rest, REGION);
	bytes_fill(rest, REGION, 2);
	bytes_check(p, REGION, 1);
	after = crew_start(r, 3, READ_WRITE);
	crew_touch(&before, REGION - 1, true, 0);
	crew_touch(&after, 2 * REGION - 1, true, 0);
	bytes_check(rest, REGION, 2);
	crew_end(&before);
	crew_end(&after);
	region_end(r);
}

/* Past what a host maps at first, which is whole GiB; nothing is filled, so it costs no memory. */
static void outgrows_its_host(void **state)
{
	const size_t size = (size_t)1 << 30;
	mshare_t r = region_make(REGION);
	struct crew before = crew_start(r, 2, READ_WRITE);
	char *p = region_attach_all(r), *rest;

	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB)) { /* needs a large pool */
		crew_end(&before);
		region_end(r);
		return;
	}
	bytes_fill(p, REGION, 4);
	check(mshare_resize(r, size + 2 * REGION) == 0);
	rest = mshare_attach(r, NULL, (off_t)size, 2 * REGION, READ_WRITE, 0);
	check(rest != MAP_FAILED);
	bytes_fill(rest, 2 * REGION, 5);
	check_equal(region_stat(r, 0).backend, backend_id());
	crew_touch(&before, 0, true, 0);
	bytes_check(p, REGION, 4);
	bytes_check(rest, 2 * REGION, 5);
	if (backend_is(MSHARE_BACKEND_SHIM)) {
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		crew_touch(&before, 0, true, SIGSEGV);
		check_equal(access_signal(rest, true), SIGSEGV);
		check_equal(access_signal(p, true), SIGSEGV);
		check(mshare_protect(r, 0, 0, READ_WRITE) == 0);
	}
	crew_end(&before);
	region_end(r);
}

/* What was forbidden before is forbidden in the larger view as well. */
static void grown_under_protection(void **state)
{
	const size_t size = (size_t)1 << 30;
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r), *again;

	(void)state;
	if (backend_is(MSHARE_BACKEND_SHIM)) {
		check(mshare_protect(r, (off_t)page_size(), page_size(), PROT_READ) == 0);
		check(mshare_resize(r, size + REGION) == 0);
		again = mshare_attach(r, NULL, 0, size + REGION, READ_WRITE, 0);
		check(again != MAP_FAILED);
		check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_SHIM);
		check_equal(access_signal(again, true), 0);
		check_equal(access_signal(again + page_size(), true), SIGSEGV);
		check_equal(access_signal(again + size, true), 0);
		check_equal(access_signal(p + page_size(), true), SIGSEGV);
	}
	region_end(r);
}

/* What nobody has attached yet, nor the host mapped, is protected as the rest. */
static void protected_before_it_is_attached(void **state)
{
	const size_t size = (size_t)1 << 30;
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r), *rest;

	(void)state;
	if (backend_is(MSHARE_BACKEND_SHIM)) {
		check(mshare_resize(r, size + REGION) == 0);
		check(mshare_protect(r, 0, 0, PROT_READ) == 0);
		rest = mshare_attach(r, NULL, (off_t)size, REGION, READ_WRITE, 0);
		check(rest != MAP_FAILED);
		check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_SHIM);
		check_equal(access_signal(rest, true), SIGSEGV);
		check_equal(access_signal(p, true), SIGSEGV);
		check(mshare_protect(r, (off_t)size, 0, READ_WRITE) == 0);
		check_equal(access_signal(rest, true), 0);
		check_equal(access_signal(p, true), SIGSEGV);
	}
	region_end(r);
}

static void shrinks(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, 3, READ_WRITE);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 3);
	check(mshare_resize(r, REGION / 2) == 0);
	check_equal(region_size(r), REGION / 2);
	crew_touch(&crew, REGION / 2, false, SIGBUS);
	crew_touch(&crew, REGION / 2 - 1, true, 0);
	bytes_check(p, REGION / 2, 3);
	check(mshare_resize(r, REGION) == 0);
	crew_touch(&crew, REGION / 2, true, 0);
	bytes_check_zero(p + REGION / 2, REGION / 2);
	crew_end(&crew);
	region_end(r);
}

static void sizes_are_rounded(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	check(mshare_resize(r, REGION + 1) == 0);
	check_equal(region_size(r), REGION + pmd_size());
	check(mshare_resize(r, 1) == 0);
	check_equal(region_size(r), pmd_size());
	region_end(r);
}

static void revoked(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew writers = crew_start(r, 3, READ_WRITE), readers = crew_start(r, 3, PROT_READ);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 3);
	check(mshare_revoke(r) == 0);
	crew_touch(&writers, 0, true, SIGBUS);
	crew_touch(&readers, REGION - 1, false, SIGBUS);
	check_equal(access_signal(p, false), SIGBUS);
	check_equal(region_size(r), 0);
	check_equal(region_stat(r, 0).used, 0);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_TRUNCATED);
	check_refused(mshare_attach(r, NULL, 0, 1, PROT_READ, 0) == MAP_FAILED, ENXIO);
	crew_end(&writers);
	crew_end(&readers);
	region_end(r);
}

/* Who has the old one attached has nothing of the new one, and the other way round. */
static void revoked_name_is_made_anew(void **state)
{
	char name[NAME_SIZE];
	mshare_t old = mshare_create(name_make(name, "revoked"), REGION, NULL), new;
	struct crew crew, successors;
	char *p;

	(void)state;
	check(old);
	crew = crew_start(old, 2, READ_WRITE);
	bytes_fill(region_attach_all(old), REGION, 3);
	check(mshare_revoke(old) == 0);
	check_refused(mshare_create(name, REGION, NULL) == NULL, EEXIST);
	check(mshare_unlink(name) == 0);
	new = mshare_create(name, REGION, NULL);
	check(new);
	successors = crew_start(new, 2, READ_WRITE);
	p = region_attach_all(new);
	bytes_check_zero(p, REGION);
	bytes_fill(p, REGION, 4);
	crew_touch(&crew, 0, true, SIGBUS);
	crew_touch(&successors, 0, true, 0);
	bytes_check(p, REGION, 4);
	check_equal(region_size(old), 0);
	crew_end(&crew);
	crew_end(&successors);
	check(mshare_unlink(name) == 0);
	region_end(old);
	region_end(new);
}

static void of_a_regular_file(void **state)
{
	int fd = disk_file(REGION);
	char bytes[4];
	mshare_t r;

	(void)state;
	if (backend_takes_files()) {
		r = mshare_from_fd(fd, NULL);
		check(r);
		check(pwrite(fd, "kept", 4, 100) == 4);
		check_refused(mshare_revoke(r) == -1, EOPNOTSUPP);
		check_equal(region_size(r), REGION);
		check(pread(fd, bytes, 4, 100) == 4 && memcmp(bytes, "kept", 4) == 0);
		check(mshare_resize(r, 12345) == 0);
		check_equal(region_size(r), 12345);
		region_end(r);
	}
	close(fd);
}

static void sealed(void **state)
{
	unsigned int huge = backend_is(MSHARE_BACKEND_HUGETLB) ? MFD_HUGETLB : 0;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge);
	mshare_t r;

	(void)state;
	check(fd >= 0 && ftruncate(fd, (off_t)REGION) == 0);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check_refused(mshare_resize(r, REGION + 1) == -1, EPERM);
	check_refused(mshare_resize(r, 1) == -1, EPERM);
	check_refused(mshare_revoke(r) == -1, EPERM);
	check(mshare_resize(r, REGION) == 0);
	check_equal(region_size(r), REGION);
	region_end(r);
	close(fd);
}

static void beyond_limit(void *handle)
{
	const struct rlimit limit = { REGION, REGION };

	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	check_refused(mshare_resize(handle, 2 * REGION) == -1, EOVERFLOW);
	check(mshare_resize(handle, REGION - pmd_size()) == 0);
	check(mshare_resize(handle, REGION) == 0);
}

/* Without SIGXFSZ, and without pages that stay reserved. */
static void limits(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	child_run(beyond_limit, r);
	check_equal(region_size(r), REGION);
	if (backend_is(MSHARE_BACKEND_HUGETLB)) /* there are not so many */
		check_refused(mshare_resize(r, (size_t)1 << 40) == -1, ENOMEM);
	check_equal(region_size(r), REGION);
	region_end(r);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION), reader = region_reopen(r, O_RDONLY);

	(void)state;
	check_refused(mshare_resize(reader, REGION * 2) == -1, EACCES);
	check_refused(mshare_revoke(reader) == -1, EACCES);
	check_refused(mshare_resize(r, 0) == -1, EINVAL);
	check_refused(mshare_resize(r, SIZE_MAX) == -1, EOVERFLOW);
	check_equal(region_size(r), REGION);
	region_end(reader);
	region_end(r);
	check_refused(mshare_resize(r, REGION) == -1, EBADF);
	check_refused(mshare_revoke(r) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(outgrows_its_host),
		cmocka_unit_test(grown_under_protection),
		cmocka_unit_test(protected_before_it_is_attached),
		cmocka_unit_test(shrinks),
		cmocka_unit_test(sizes_are_rounded),
		cmocka_unit_test(revoked),
		cmocka_unit_test(revoked_name_is_made_anew),
		cmocka_unit_test(of_a_regular_file),
		cmocka_unit_test(sealed),
		cmocka_unit_test(limits),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
