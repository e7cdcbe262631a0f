/* SPDX-License-Identifier: MIT */
/* Looking at processes through /proc, for mshare_stat(). */
#ifndef MSHARE_INSPECT_H
#define MSHARE_INSPECT_H

#include "util.h"

/* Processes that map the file, among those whose maps we may read. -errno without /proc. */
must_check long inspect_attachers(dev_t dev, ino_t ino);

/*
 * Page tables in use for [addr, addr+len) of this process: *table_bytes of PTE and PMD tables,
 * *huge_bytes mapped by huge pages. page_size is the hugetlb page size, or 0 for other mappings.
 * Adds to both. 0 or -errno.
 */
must_check int inspect_tables(void *addr, size_t len, uint64_t hugetlb_page, uint64_t *table_bytes,
			      uint64_t *huge_bytes);

#endif
