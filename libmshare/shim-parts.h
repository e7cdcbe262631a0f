/* SPDX-License-Identifier: MIT */
/*
 * Whether a process hosts page tables for a region, and whether parts of it are of other objects,
 * as mshare_map() makes them: only the kernel module knows, and only who shares tables sees them.
 */
#ifndef MSHARE_SHIM_PARTS_H
#define MSHARE_SHIM_PARTS_H

#include "region.h"

/* For the object fd; false also for who may not ask. */
bool shim_hosts(int fd, bool writable);

/*
 * How many; 0 also for who may not ask. -EOWNERDEAD: see SHIM_ORPHANED. -EMFILE, -ENFILE: no
 * descriptor is left to ask with.
 */
must_check int shim_parts(const struct region *r);

/*
 * What shim_parts() returned, if not 0, as an errno with a sentence: -EOPNOTSUPP where there are
 * some.
 */
must_check int shim_parts_error(int parts, const char *call);

/* 0; or -errno with a sentence, for calls that reach the region's own object only. */
must_check int shim_refuse_parts(const struct region *r, const char *call);

#endif
