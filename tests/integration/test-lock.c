/* SPDX-License-Identifier: MIT */
/* mshare_lock(): all of it in memory and counted, as long as handle and process live; limits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (2 * pmd_size())

/* The kernel does not count hugetlb pages, which it never reclaims. */
static uint64_t counted(uint64_t bytes)
{
	return backend_is(MSHARE_BACKEND_HUGETLB) ? 0 : bytes;
}

static void locks_and_unlocks(void **state)
{
	mshare_t r = region_make(REGION);
	struct proc_footprint before = proc_footprint();
	uint64_t locked = proc_status_bytes("VmLck");

	(void)state;
	check(mshare_lock(r, 0, 0) == 0);
	check_equal(region_stat(r, 0).used, REGION);
	check_equal(proc_status_bytes("VmLck") - locked, counted(REGION));
	check(mshare_lock(r, 0, pmd_size()) == 0);
	check_equal(proc_status_bytes("VmLck") - locked, counted(REGION + pmd_size()));
	check(mshare_unlock(r, 0, pmd_size()) == 0);
	check(mshare_unlock(r, 0, 0) == 0);
	check_equal(proc_status_bytes("VmLck"), locked);
	proc_check_footprint(&before, "lock and unlock");
	region_end(r);
}

static void goes_with_the_handle(void **state)
{
	mshare_t r = region_make(REGION);
	uint64_t locked = proc_status_bytes("VmLck");

	(void)state;
	check(mshare_lock(r, (off_t)pmd_size(), 0) == 0);
	check_equal(proc_status_bytes("VmLck") - locked, counted(pmd_size()));
	check(mshare_close(r) == 0);
	check_equal(proc_status_bytes("VmLck"), locked);
}

static void look_for_lock(void *handle)
{
	check_equal(proc_status_bytes("VmLck"), 0);
	check_refused(mshare_unlock(handle, 0, REGION) == -1, EINVAL);
	check(mshare_lock(handle, 0, REGION) == 0);
	check(mshare_unlock(handle, 0, REGION) == 0);
	check(mshare_close(handle) == 0);
}

/* A child may lock for itself, and must not unmap what is not there. */
static void not_inherited(void **state)
{
	mshare_t r = region_make(REGION);
	uint64_t locked = proc_status_bytes("VmLck");

	(void)state;
	check(mshare_lock(r, 0, REGION) == 0);
	child_run(look_for_lock, r);
	check_equal(proc_status_bytes("VmLck") - locked, counted(REGION));
	check(mshare_unlock(r, 0, REGION) == 0);
	region_end(r);
}

/* As an ordinary user, whom the limit binds. */
static void with_limit(void *bytes)
{
	const struct rlimit limit = { *(rlim_t *)bytes, *(rlim_t *)bytes };
	mshare_t r = region_make(REGION);
	struct proc_footprint before;

	check(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (getuid() == 0)
		check(setgid(1000) == 0 && setuid(1000) == 0);
	before = proc_footprint();
	check_refused(mshare_lock(r, 0, REGION) == -1, limit.rlim_cur ? ENOMEM : EPERM);
	check(strstr(mshare_errmsg(), "RLIMIT_MEMLOCK"));
	proc_check_footprint(&before, "a refused lock");
	check_refused(mshare_unlock(r, 0, REGION) == -1, EINVAL);
	region_end(r);
}

static void limits(void **state)
{
	rlim_t none = 0, little = page_size();

	(void)state;
	child_run(with_limit, &none);
	child_run(with_limit, &little);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	check_refused(mshare_lock(r, -1, 0) == -1, EINVAL);
	check_refused(mshare_lock(r, 1, 0) == -1, EINVAL);
	check_refused(mshare_lock(r, 0, 1) == -1, EINVAL);
	check_refused(mshare_lock(r, 0, REGION + 1) == -1, ENXIO);
	check_refused(mshare_unlock(r, 0, REGION) == -1, EINVAL);
	check(mshare_lock(r, 0, REGION) == 0);
	check_refused(mshare_unlock(r, 0, pmd_size()) == -1, EINVAL);
	check(mshare_unlock(r, 0, REGION) == 0);
	check_refused(mshare_unlock(r, 0, REGION) == -1, EINVAL);
	region_end(r);
	check_refused(mshare_lock(r, 0, 0) == -1, EBADF);
	check_refused(mshare_unlock(r, 0, 0) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(locks_and_unlocks), cmocka_unit_test(goes_with_the_handle),
		cmocka_unit_test(not_inherited),     cmocka_unit_test(limits),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
