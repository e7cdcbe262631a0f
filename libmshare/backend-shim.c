/* SPDX-License-Identifier: MIT */
/* Page tables shared by the kernel module. This release has no module yet: every question is
 * answered with ENOSYS. */
#include <errno.h>
#include <stdio.h>

#include "log.h"
#include "region.h"

#define NOT_HERE "not on this kernel: libmshare 0.1 has no kernel module"

static void shim_probe(struct mshare_backend_caps *caps)
{
	caps->page_size = 0;
	caps->error = ENOSYS;
	snprintf(caps->reason, sizeof(caps->reason), "%s", NOT_HERE);
}

static int shim_accepts(const struct region_request *req)
{
	(void)req;
	return fail(-EOPNOTSUPP, "shim: %s", NOT_HERE);
}

static int shim_create(struct region *r, const struct region_request *req)
{
	(void)r;
	return shim_accepts(req);
}

static int shim_attached(struct region *r, const struct attachment *a, bool populate)
{
	(void)r;
	(void)a;
	(void)populate;
	return fail(-EOPNOTSUPP, "shim: %s", NOT_HERE);
}

const struct backend_ops backend_shim = {
	.name = "shim",
	.id = MSHARE_BACKEND_SHIM,
	.probe = shim_probe,
	.accepts = shim_accepts,
	.create = shim_create,
	.adopt = shim_create,
	.attached = shim_attached,
	.shares_tables = true,
};
