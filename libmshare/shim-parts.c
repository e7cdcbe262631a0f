/* SPDX-License-Identifier: MIT */
#include "shim-parts.h"

#include <errno.h>
#include <limits.h>

#include "ctl.h"
#include "log.h"
#include "mshare/abi.h"
#include "shim-ask.h"

static int parts_of_view(int device, int fd, uint32_t prot)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = fd, .prot = prot };
	int err = mshare_ctl(device, MSHARE_CTL_QUERY, &query);

	if (err)
		return err;
	return query.parts < INT_MAX ? (int)query.parts : INT_MAX;
}

/* A host may have one of the two views only. */
static int count(int device, int fd, bool writable)
{
	int parts = parts_of_view(device, fd, MSHARE_VIEW_READ);

	if (parts == -ENOENT && writable)
		parts = parts_of_view(device, fd, MSHARE_VIEW_READ | MSHARE_VIEW_WRITE);
	return parts;
}

bool shim_hosts(int fd, bool writable)
{
	cleanup_fd int device = ctl_open();
	int parts = device < 0 ? device : count(device, fd, writable);

	return parts >= 0 || parts == -EOWNERDEAD;
}

int shim_parts(const struct region *r)
{
	cleanup_fd int device = r->kind == REGION_HUGETLB ? -ENOSYS : ctl_open();
	int parts;

	if (device == -EMFILE || device == -ENFILE)
		return device;
	parts = device < 0 ? 0 : count(device, r->fd, r->writable);
	return parts < 0 && parts != -EOWNERDEAD ? 0 : parts;
}

int shim_parts_error(int parts, const char *call)
{
	if (parts == -EOWNERDEAD)
		return fail(parts, "%s: %s", call, SHIM_ORPHANED);
	if (parts < 0)
		return fail(parts,
			    "%s: no descriptor is left to ask the kernel module for parts of "
			    "the region that are of other objects",
			    call);
	return fail(
		-EOPNOTSUPP,
		"%s: parts of the region are of other objects (mshare_map), which only processes "
		"see that share page tables",
		call);
}

int shim_refuse_parts(const struct region *r, const char *call)
{
	int parts = shim_parts(r);

	if (!parts)
		return 0;
	return shim_parts_error(parts == -EOWNERDEAD ? 1 : parts, call);
}
