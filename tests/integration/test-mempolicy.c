/* SPDX-License-Identifier: MIT */
/* mshare_mempolicy(): the policy is the object's: whoever maps it has it. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"

#define REGION (2 * pmd_size())
#define NODES (8 * sizeof(unsigned long))

/* Of the page at p, as an ordinary mapping has it; MPOL_DEFAULT: none of its own. */
static int policy_at(void *p)
{
	int mode = -1;

	check(syscall(SYS_get_mempolicy, &mode, NULL, 0, p, MPOL_F_ADDR) == 0);
	return mode;
}

static void look(void *handle)
{
	char *own = mmap(NULL, REGION, PROT_READ, MAP_SHARED, mshare_fd(handle), 0);

	check(own != MAP_FAILED);
	check_equal(policy_at(own), MPOL_DEFAULT);
	check_equal(policy_at(own + pmd_size()), MPOL_BIND);
	munmap(own, REGION);
}

static void is_the_objects(void **state)
{
	mshare_t r = region_make(REGION);
	const unsigned long first = 1;
	char *p = region_attach_all(r);

	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB)) {
		check_refused(mshare_mempolicy(r, 0, 0, MPOL_BIND, &first, NODES) == -1,
			      EOPNOTSUPP);
		region_end(r);
		return;
	}
	check(mshare_mempolicy(r, (off_t)pmd_size(), pmd_size(), MPOL_BIND, &first, NODES) == 0);
	child_run(look, r);
	bytes_fill(p, REGION, 1);
	bytes_check(p, REGION, 1);
	child_run(look, r);
	check(mshare_mempolicy(r, 0, 0, MPOL_INTERLEAVE, &first, NODES) == 0);
	check(mshare_mempolicy(r, 0, 0, MPOL_DEFAULT, NULL, 0) == 0);
	check(mshare_mempolicy(r, (off_t)pmd_size(), 0, MPOL_BIND, &first, NODES) == 0);
	child_run(look, r);
	region_end(r);
}

static void denied(void *handle)
{
	const unsigned long first = 1;

	deny_call(SYS_mbind, EPERM);
	check_refused(mshare_mempolicy(handle, 0, 0, MPOL_BIND, &first, NODES) == -1, EPERM);
}

static void without_numa(void *handle)
{
	const unsigned long first = 1;

	deny_call(SYS_mbind, ENOSYS);
	check_refused(mshare_mempolicy(handle, 0, 0, MPOL_BIND, &first, NODES) == -1, EOPNOTSUPP);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);
	const unsigned long first = 1, no_such = 1ul << 62;

	(void)state;
	if (!backend_is(MSHARE_BACKEND_HUGETLB)) {
		check_refused(mshare_mempolicy(r, 0, 0, 99, &first, NODES) == -1, EINVAL);
		check_refused(mshare_mempolicy(r, 0, 0, MPOL_BIND, &no_such, NODES) == -1, EINVAL);
		check_refused(mshare_mempolicy(r, 0, 0, MPOL_BIND, NULL, 0) == -1, EINVAL);
		child_run(denied, r);
		child_run(without_numa, r);
	}
	check_refused(mshare_mempolicy(r, -1, 0, MPOL_BIND, &first, NODES) == -1, EINVAL);
	check_refused(mshare_mempolicy(r, 1, 0, MPOL_BIND, &first, NODES) == -1, EINVAL);
	check_refused(mshare_mempolicy(r, 0, REGION + 1, MPOL_BIND, &first, NODES) == -1, ENXIO);
	region_end(r);
	check_refused(mshare_mempolicy(r, 0, 0, MPOL_BIND, &first, NODES) == -1, EBADF);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(is_the_objects),
		cmocka_unit_test(refusals),
	};

	return RUN_CASES(cases);
}
