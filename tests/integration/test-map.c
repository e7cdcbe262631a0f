/* SPDX-License-Identifier: MIT */
/*
 * mshare_map(): another object in a part of a region, seen by everybody who is attached. Where page
 * tables are not shared it is refused, and nobody sees anything else than before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "crew.h"
#include "object.h"

#define REGION (4 * pmd_size())
#define SECOND ((off_t)pmd_size())

static bool is_enforced(void)
{
	return backend_is(MSHARE_BACKEND_SHIM);
}

struct sight {
	mshare_t r;
	size_t at;
	unsigned char byte;
};

/* A process that attaches by itself. */
static void sees(void *arg)
{
	const struct sight *s = arg;
	const volatile unsigned char *p = mshare_attach(s->r, NULL, 0, REGION, PROT_READ, 0);

	check(p != MAP_FAILED);
	check_equal(p[s->at], s->byte);
}

static void seen_by_others(mshare_t r, size_t at, unsigned char byte)
{
	struct sight s = { r, at, byte };

	child_run(sees, &s);
}

static void refused_elsewhere(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	memset(p, 7, REGION);
	if (!is_enforced()) {
		check_refused(mshare_map(r, 0, 0, -1, 0, READ_WRITE) == -1, EOPNOTSUPP);
		check_refused(mshare_map(r, 0, 0, mshare_fd(r), 0, PROT_READ) == -1, EOPNOTSUPP);
	}
	check_equal(p[0], 7);
	seen_by_others(r, REGION - 1, 7);
	region_end(r);
}

static void anonymous_memory(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	memset(p, 7, REGION);
	if (is_enforced()) {
		check(mshare_map(r, SECOND, pmd_size(), -1, 0, READ_WRITE) == 0);
		check(region_stat(r, 0).flags & MSHARE_STAT_F_PARTS);
		check_equal(p[SECOND], 0);
		check_equal(p[SECOND - 1], 7);
		check_equal(p[2 * SECOND], 7);
		p[SECOND] = 9;
		seen_by_others(r, pmd_size(), 9);
		seen_by_others(r, pmd_size() - 1, 7);
		check(mshare_map(r, SECOND, pmd_size(), mshare_fd(r), SECOND, READ_WRITE) == 0);
		check(!(region_stat(r, 0).flags & MSHARE_STAT_F_PARTS));
		check_equal(p[SECOND], 7);
		seen_by_others(r, pmd_size(), 7);
	}
	region_end(r);
}

/* What is written to a file reaches it, from there and from here. */
static void a_file(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	int fd = disk_file(REGION);
	char byte = 5;

	(void)state;
	memset(p, 7, REGION);
	check(pwrite(fd, &byte, 1, (off_t)page_size()) == 1);
	if (is_enforced()) {
		check(mshare_map(r, SECOND, pmd_size(), fd, (off_t)page_size(), READ_WRITE) == 0);
		check_equal(p[SECOND], 5);
		seen_by_others(r, pmd_size(), 5);
		p[SECOND + 1] = 6;
		check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
		check(pread(fd, &byte, 1, (off_t)page_size() + 1) == 1);
		check_equal(byte, 6);
		check(pread(mshare_fd(r), &byte, 1, SECOND + 1) == 1);
		check_equal(byte, 7);
		check(ftruncate(fd, 0) == 0);
		check_equal(access_signal(p + SECOND, false), SIGBUS);
		check_equal(access_signal(p + SECOND - 1, true), 0);
	}
	close(fd);
	region_end(r);
}

static void rights(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew readers = crew_start(r, 2, PROT_READ);
	struct crew writers = crew_start(r, 2, READ_WRITE);

	(void)state;
	if (is_enforced()) {
		check(mshare_map(r, SECOND, pmd_size(), -1, 0, PROT_READ) == 0);
		crew_touch(&writers, pmd_size(), false, 0);
		crew_touch(&writers, pmd_size(), true, SIGSEGV);
		crew_touch(&writers, pmd_size() - 1, true, 0);
		check(mshare_map(r, SECOND, pmd_size(), -1, 0, READ_WRITE) == 0);
		crew_touch(&writers, pmd_size(), true, 0);
		crew_touch(&readers, pmd_size(), false, 0);
		crew_touch(&readers, pmd_size(), true, SIGSEGV);
	}
	crew_end(&readers);
	crew_end(&writers);
	region_end(r);
}

static void other_calls(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	p[0] = 1;
	if (is_enforced()) {
		check(mshare_map(r, 0, pmd_size(), -1, 0, READ_WRITE) == 0);
		check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == -1, EOPNOTSUPP);
		check_refused(mshare_lock(r, 0, 0) == -1, EOPNOTSUPP);
		check_refused(mshare_resize(r, pmd_size()) == -1, EOPNOTSUPP);
		check_refused(mshare_save(r, AT_FDCWD, "map.image", NULL) == -1, EOPNOTSUPP);
		check_refused(mshare_advise(r, 0, 0, MSHARE_ADVICE_WILLNEED) == -1, EOPNOTSUPP);
		check(mshare_resize(r, REGION + pmd_size()) == 0);
		check_equal(p[0], 0);
		check(mshare_revoke(r) == 0);
		check_equal(access_signal(p, false), SIGBUS);
	}
	region_end(r);
}

/* Whatever backend the administrator's handle has. */
static void revoked_by_another_backend(void **state)
{
	mshare_t r = region_make(REGION), other;
	char *p = region_attach_all(r);

	(void)state;
	if (is_enforced()) {
		check(mshare_map(r, 0, pmd_size(), -1, 0, READ_WRITE) == 0);
		p[0] = 1;
		check(setenv("MSHARE_BACKEND", "plain", 1) == 0);
		other = mshare_from_fd(mshare_fd(r), NULL);
		check(setenv("MSHARE_BACKEND", "shim", 1) == 0);
		check(other);
		check(mshare_revoke(other) == 0);
		check_equal(access_signal(p, false), SIGBUS);
		check_equal(access_signal(p + pmd_size(), false), SIGBUS);
		check(mshare_close(other) == 0);
	}
	region_end(r);
}

/* Refused before anything is undone. */
static void revoking_what_is_sealed(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	p[0] = 1;
	if (is_enforced()) {
		check(mshare_map(r, 0, pmd_size(), -1, 0, READ_WRITE) == 0);
		p[0] = 2;
	}
	check(fcntl(mshare_fd(r), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	check_refused(mshare_revoke(r) == -1, EPERM);
	check_equal(p[0], is_enforced() ? 2 : 1);
	region_end(r);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);
	int sealed = memory_file(REGION);
	int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	check_refused(mshare_map(r, 0, 0, -1, 0, PROT_NONE) == -1, EINVAL);
	check_refused(mshare_map(r, 0, 0, -1, 1, PROT_READ) == -1, EINVAL);
	if (is_enforced()) {
		check_refused(mshare_map(r, 1, 0, -1, 0, PROT_READ) == -1, EINVAL);
		check_refused(mshare_map(r, 0, REGION + 1, -1, 0, PROT_READ) == -1, ENXIO);
		check_refused(mshare_map(r, 0, 0, -2, 0, PROT_READ) == -1, EBADF);
		check_refused(mshare_map(r, 0, 0, directory, 0, PROT_READ) == -1, ENODEV);
		check_refused(mshare_map(r, 0, 0, sealed, (off_t)page_size(), PROT_READ) == -1,
			      ENXIO);
		check_refused(mshare_map(r, 0, 0, sealed, INT64_MAX - (off_t)page_size() + 1,
					 PROT_READ) == -1,
			      EOVERFLOW);
		check(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) == 0);
		check_refused(mshare_map(r, 0, 0, sealed, 0, PROT_READ) == -1, EPERM);
	}
	check_equal(access_signal(p, true), 0);
	close(sealed);
	close(directory);
	region_end(r);
	check_refused(mshare_map(NULL, 0, 0, -1, 0, PROT_READ) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(refused_elsewhere),
		cmocka_unit_test(anonymous_memory),
		cmocka_unit_test(a_file),
		cmocka_unit_test(rights),
		cmocka_unit_test(other_calls),
		cmocka_unit_test(revoked_by_another_backend),
		cmocka_unit_test(revoking_what_is_sealed),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
