/* SPDX-License-Identifier: MIT */
/* Looking at processes through /proc, for mshare_stat(). */
#ifndef MSHARE_INSPECT_H
#define MSHARE_INSPECT_H

#include "util.h"

/* Processes that map the file, among those whose maps we may read. -errno without /proc. */
must_check long inspect_attachers(dev_t dev, ino_t ino);

struct inspect_range {
	void *addr;
	size_t len;
	uint64_t hugetlb_page; /* its size; 0: another kind of mapping */
	bool linked; /* the PTE tables are those of another process */
};

/*
 * Page tables in use for a range of this process: *table_bytes of PTE and PMD tables of its own,
 * *huge_bytes mapped by huge pages. Adds to both. 0 or -errno.
 */
must_check int inspect_tables(const struct inspect_range *range, uint64_t *table_bytes,
			      uint64_t *huge_bytes);

#endif
