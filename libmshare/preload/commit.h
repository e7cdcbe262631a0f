/* SPDX-License-Identifier: MIT */
/*
 * What the kernel promises of memory that nobody has touched yet (vm.overcommit_memory). A mapping
 * of anonymous shared memory is counted when it is made, a memfd, which regions are, never.
 */
#ifndef MSHARE_PRELOAD_COMMIT_H
#define MSHARE_PRELOAD_COMMIT_H

#include "raw.h"

/* NULL: the call may be converted to memory that is not counted; else why not. */
const char *commit_hindrance(const struct map_call *call, bool populated);

#endif
