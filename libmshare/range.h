/* SPDX-License-Identifier: MIT */
/* A part of a region that a call is about. */
#ifndef MSHARE_RANGE_H
#define MSHARE_RANGE_H

#include "region.h"

struct range {
	off_t off;
	uint64_t len;
	uint64_t end_of_file; /* now, which may not be where it was when opened */
};

/* len 0 means to the end. 0; or -errno with a sentence that begins with the name of the call. */
must_check int range_find(const struct region *r, const char *call, off_t off, uint64_t len,
			  struct range *out);

/* Whole units, or up to the end. 0, or -EINVAL with a sentence. */
must_check int range_check(const struct range *range, const char *call, uint64_t unit);

/* What the pages of the region are multiples of. */
uint64_t range_page(const struct region *r);

#endif
