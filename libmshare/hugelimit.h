/* SPDX-License-Identifier: MIT */
/*
 * The limit that a control group (cgroups(7), version 2) sets on huge pages. The kernel reserves
 * pages beyond it without a word, and raises SIGBUS when they are touched: container managers that
 * grant no huge pages set it to 0 on machines that have a pool.
 */
#ifndef MSHARE_HUGELIMIT_H
#define MSHARE_HUGELIMIT_H

#include "util.h"

/*
 * Bytes of such pages that this process's group and those around it have left; UINT64_MAX: any. The
 * file that sets the tightest limit goes to `file`, unless that is NULL; "" if there is none.
 */
uint64_t hugelimit_left(uint64_t page_size, char *file, size_t size);

#endif
