/* SPDX-License-Identifier: MIT */
/* How much of a shared file is in huge pages, whoever has it mapped how. */
#ifndef MSHARE_PRELOAD_HUGECOUNT_H
#define MSHARE_PRELOAD_HUGECOUNT_H

#include "util.h"

/*
 * Bytes of the file behind [start, start+len) that are in huge pages now. start: an ordinary shared
 * mapping of this process, at an offset that a huge page can begin at; it is not touched. Allocates
 * nothing from malloc(3), and no memory of the file. 0 or -errno.
 */
must_check int huge_count(const void *start, size_t len, uint64_t *bytes);

#endif
