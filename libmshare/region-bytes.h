/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a region, read and written through its file: no address space, no page tables, no
 * SIGBUS when somebody makes the file shorter. hugetlb files cannot be written, they are mapped.
 */
#ifndef MSHARE_REGION_BYTES_H
#define MSHARE_REGION_BYTES_H

#include "region.h"

struct region_bytes {
	const struct region *region;
	uint64_t size; /* when opened */
	int fd; /* own_fd, or the region's */
	int own_fd; /* without the offset and flags that others may set; -1: none can be had */
	int seek_fd; /* to look for holes with: own_fd, another one, or -1 */
	bool hides_data; /* what the kernel tells as a hole may have contents */
	unsigned char *mapping; /* of a hugetlb region to be written; NULL otherwise */
	unsigned char *scratch; /* REGION_SCRATCH bytes */
	bool no_holes; /* the file system cannot punch any */
};

#define REGION_SCRATCH (2 * MIB)

/* 0 or -errno with a sentence. region_bytes_close() on success only. */
must_check int region_bytes_open(struct region_bytes *b, const struct region *r, bool write);
void region_bytes_close(struct region_bytes *b);

/*
 * Fills buf; what is behind the end reads as zero. Holes stay holes. 0 or -errno with a sentence.
 */
must_check int region_bytes_read(const struct region_bytes *b, uint64_t off, void *buf, size_t len);

/*
 * The first range that begins in [off, stop) and may have bytes other than zero: all of the rest
 * where holes cannot be seen. It may end behind stop. 0, or -ENXIO: there is none. Where the kernel
 * hides data, all of [off, stop) may have to be read.
 */
must_check int region_bytes_find(const struct region_bytes *b, uint64_t off, uint64_t stop,
				 uint64_t *start, uint64_t *end);

/* No memory or storage is allocated to it: all of it reads as zero. */
bool region_bytes_empty(const struct region_bytes *b);

/* 0 or -errno with a sentence. */
must_check int region_bytes_write(const struct region_bytes *b, uint64_t off, const void *buf,
				  size_t len);

/* Makes a range read as zero: a hole, but for hugetlb, whose pages would lose their reservation. */
must_check int region_bytes_clear(struct region_bytes *b, uint64_t off, uint64_t len);

#endif
