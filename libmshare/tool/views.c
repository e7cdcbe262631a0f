/* SPDX-License-Identifier: MIT */
#include "views.h"

const struct view_kind view_kinds[VIEW_KINDS] = {
	{ "read", MSHARE_VIEW_READ },
	{ "write", MSHARE_VIEW_READ | MSHARE_VIEW_WRITE },
};

int view_ask(int device, int fd, uint32_t prot, struct mshare_ctl_query *view)
{
	*view = (struct mshare_ctl_query){ .size = sizeof(*view), .fd = fd, .prot = prot };
	return mshare_ctl(device, MSHARE_CTL_QUERY, view);
}
