/* SPDX-License-Identifier: MIT */
/*
 * mshare_mempolicy(): mbind(2) of shared memory sets the policy of the object, for all who map it.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>

#include "control.h"
#include "log.h"
#include "shim-parts.h"
#include "window.h"

static int bind_error(int err)
{
	switch (err) {
	case -EINVAL:
	case -EFAULT:
		return fail(-EINVAL, "mempolicy: unknown mode, or nodes that do not exist, are not "
				     "allowed to this process, or do not fit the mode");
	case -ENOSYS:
		return fail(-EOPNOTSUPP, "mempolicy: this kernel has no NUMA policies");
	case -EPERM:
		return fail(err, "mempolicy: the process may not use mbind(2)");
	default:
		return fail(-ENOMEM, "mempolicy: the policy cannot be kept (%s)",
			    strerrordesc_np(-err));
	}
}

/*
 * A mapping that has no policy and gets none the kernel leaves alone, whatever the object has: so
 * it gets one first.
 */
static int bind(const struct window *w, const struct mempolicy *policy)
{
	int err = 0;

	if (policy->mode == MPOL_DEFAULT)
		err = sys_mbind(w->addr, w->len, MPOL_LOCAL, NULL, 0);
	if (!err)
		err = sys_mbind(w->addr, w->len, policy->mode, policy->nodes, policy->max);
	return err;
}

int region_mempolicy(struct region *r, off_t off, uint64_t len, const struct mempolicy *policy)
{
	struct range range;
	struct window w;
	int err = range_find(r, "mempolicy", off, len, &range);

	if (!err)
		err = range_check(&range, "mempolicy", range_page(r));
	if (err)
		return err;
	if (r->kind != REGION_SHMEM)
		return fail(-EOPNOTSUPP,
			    "mempolicy: %s have no policy that all processes share: each places "
			    "what it is the first to touch",
			    r->kind == REGION_HUGETLB ? "hugetlb pages" : "regular files");
	if (!r->writable)
		return fail(-EACCES, "mempolicy: the region is opened for reading only");
	if (!range.len)
		return 0;
	err = shim_refuse_parts(r, "mempolicy");
	if (err)
		return err;
	err = window_open(r, "mempolicy", &range, PROT_READ, &w);
	if (err)
		return err;
	err = bind(&w, policy);
	window_close(&w);
	return err ? bind_error(err) : 0;
}
