/* SPDX-License-Identifier: MIT */
/* Whether parts of a region are of other objects, as mshare_map() makes them: only the kernel module
 * knows, and only who shares page tables sees them. */
#ifndef MSHARE_SHIM_PARTS_H
#define MSHARE_SHIM_PARTS_H

#include "region.h"

/* How many; 0 also where it cannot be found out. -EOWNERDEAD: see SHIM_ORPHANED. */
must_check int shim_parts(const struct region *r);

/* 0; or -EOPNOTSUPP with a sentence, for calls that reach the region's own object only. */
must_check int shim_refuse_parts(const struct region *r, const char *call);

#endif
