/* SPDX-License-Identifier: MIT */
/* Alignment arithmetic on the machine's real page sizes. No call overflows unnoticed. */
#ifndef MSHARE_ALIGN_H
#define MSHARE_ALIGN_H

#include "mshare.h"
#include "util.h"

struct page_sizes {
	uint64_t base; /* bytes of a base page */
	uint64_t pmd; /* bytes covered by one PMD entry */
	uint64_t pud; /* bytes covered by one PUD entry */
};

/* The machine's, read once. */
const struct page_sizes *page_sizes(void);

/* Derives the sizes from a base page and hpage_pmd_size's text (may be empty: computed from the
 * base page). */
struct page_sizes page_sizes_from(uint64_t base, const char *hpage_pmd_size);

/* Rounds value up to a multiple of the power of two `to`. 0 or -EOVERFLOW (past INT64_MAX). */
must_check int align_up(uint64_t value, uint64_t to, uint64_t *out);

static inline uint64_t align_down(uint64_t value, uint64_t to)
{
	return value & ~(to - 1);
}

/*
 * Whether [start, start + len) has a whole, aligned `unit` (a power of two) of address space in it,
 * at which mappings of the same file are aligned alike: start maps the file's offset `off`.
 */
bool align_has_whole(uint64_t start, uint64_t off, uint64_t len, uint64_t unit);

/* The alignment in bytes that `level` means for an object of `size` bytes. 0 for an unknown level.
 */
uint64_t align_for(const struct page_sizes *sizes, uint64_t size, int level);

/* mshare_align() with given page sizes: 0, -EINVAL (size 0, unknown level) or -EOVERFLOW. */
must_check int align_size(const struct page_sizes *sizes, uint64_t size, int level, uint64_t *out);

#endif
