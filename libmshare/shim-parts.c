/* SPDX-License-Identifier: MIT */
#include "shim-parts.h"

#include <errno.h>
#include <limits.h>

#include "ctl.h"
#include "log.h"
#include "mshare/abi.h"
#include "shim-ask.h"

static int count(int device, int fd, uint32_t prot)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = fd, .prot = prot };
	int err = mshare_ctl(device, MSHARE_CTL_QUERY, &query);

	if (err)
		return err;
	return query.parts < INT_MAX ? (int)query.parts : INT_MAX;
}

/* A host may have one of the two views only. */
int shim_parts(const struct region *r)
{
	cleanup_fd int device = ctl_open();
	int parts = device < 0 ? 0 : count(device, r->fd, MSHARE_VIEW_READ);

	if (parts == -ENOENT && r->writable)
		parts = count(device, r->fd, MSHARE_VIEW_READ | MSHARE_VIEW_WRITE);
	return parts < 0 && parts != -EOWNERDEAD ? 0 : parts;
}

int shim_refuse_parts(const struct region *r, const char *call)
{
	int parts = shim_parts(r);

	if (!parts)
		return 0;
	return fail(-EOPNOTSUPP, "%s: parts of the region are of other objects (mshare_map)", call);
}
