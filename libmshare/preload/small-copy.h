/* SPDX-License-Identifier: MIT */
/* Out of reserved huge pages into base pages, for calls on parts of a huge page. */
#ifndef MSHARE_PRELOAD_SMALL_COPY_H
#define MSHARE_PRELOAD_SMALL_COPY_H

#include "util.h"

/*
 * Puts ordinary shared memory with the same bytes in the place of [start, start+len), in one step
 * once it is copied. Only where nobody else can write meanwhile, and nobody else has the mapping.
 * 0 or -errno: nothing has changed. -ENOMEM: the copy would take more than there is.
 */
must_check int small_copy(void *start, size_t len, int prot);

#endif
