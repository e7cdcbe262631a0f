/* SPDX-License-Identifier: MIT */
/* Views of a file, asked for at the kernel module. */
#ifndef MSHARE_VIEWS_H
#define MSHARE_VIEWS_H

#include "ctl.h"
#include "mshare/abi.h"

#define VIEW_KINDS 2

struct view_kind {
	const char *name; /* "read", "write" */
	uint32_t prot;
};
extern const struct view_kind view_kinds[VIEW_KINDS];

/*
 * What the module counts for the view that this process would attach to. 0; -ENOENT: nobody hosts
 * one; -EACCES: fd is not open for that protection; other -errno.
 */
must_check int view_ask(int device, int fd, uint32_t prot, struct mshare_ctl_query *view);

#endif
