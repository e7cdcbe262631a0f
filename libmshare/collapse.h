/* SPDX-License-Identifier: MIT */
/* Huge pages for shared memory that is there already: MADV_COLLAPSE, used by the thp backend and
 * mshare-host. */
#ifndef MSHARE_COLLAPSE_H
#define MSHARE_COLLAPSE_H

#include "util.h"

/*
 * Gives every PMD-sized piece of the mapping a huge page and maps it: pieces without any page get
 * one first. addr and the file offset behind it are multiples of pmd. len is a multiple of the base
 * page; a last part smaller than pmd is populated with base pages. `write`: the mapping is
 * writable, and entries are made writable. 0, or -errno: -ENOMEM no memory, -EOPNOTSUPP no
 * MADV_POPULATE_*, -EINVAL the machine does not collapse.
 */
must_check int collapse_populate(void *addr, size_t len, size_t pmd, bool write);

/*
 * Collapses the PMD-sized pieces of a mapping of fd that are filled (at least 7/8 of their base
 * pages present) and not yet known to be huge. `done` is one byte a piece, owned by the caller: set
 * when collapsed, cleared when the piece has lost pages since (discarded, swapped out). Never
 * allocates more than 1/8 beyond what is used. Returns the number of pieces collapsed, or -errno.
 */
must_check long collapse_filled(void *addr, size_t len, size_t pmd, unsigned char *done);

#endif
