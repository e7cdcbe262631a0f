/* SPDX-License-Identifier: MIT */
/* The public entry points of region-wide control: find the region, translate the result. */
#include "control.h"
#include "entry.h"

int mshare_protect(mshare_t h, off_t off, size_t len, int prot)
{
	return CALL(h, region_protect(r, off, len, prot));
}

int mshare_map(mshare_t h, off_t off, size_t len, int fd, off_t fd_off, int prot)
{
	const struct map_request request = { off, len, fd, fd_off, prot };

	return CALL(h, region_map(r, &request));
}

int mshare_advise(mshare_t h, off_t off, size_t len, int advice)
{
	return CALL(h, region_advise(r, off, len, advice));
}

int mshare_lock(mshare_t h, off_t off, size_t len)
{
	return CALL(h, region_lock(r, off, len));
}

int mshare_unlock(mshare_t h, off_t off, size_t len)
{
	return CALL(h, region_unlock(r, off, len));
}

int mshare_mempolicy(mshare_t h, off_t off, size_t len, int mode, const unsigned long *nodes,
		     unsigned long max)
{
	const struct mempolicy policy = { mode, nodes, max };

	return CALL(h, region_mempolicy(r, off, len, &policy));
}

int mshare_resize(mshare_t h, size_t size)
{
	return CALL(h, region_resize(r, size));
}

int mshare_revoke(mshare_t h)
{
	return CALL(h, region_revoke(r));
}

int mshare_handover(mshare_t h, pid_t pid)
{
	return CALL(h, region_handover(r, pid));
}
