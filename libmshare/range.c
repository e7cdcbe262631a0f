/* SPDX-License-Identifier: MIT */
#include "range.h"

#include <errno.h>

#include "align.h"
#include "log.h"

int range_find(const struct region *r, const char *call, off_t off, uint64_t len, struct range *out)
{
	uint64_t size;
	int err;

	if (off < 0)
		return fail(-EINVAL, "%s: offset %lld is negative", call, (long long)off);
	err = region_size_now(r, &size);
	if (err)
		return err;
	if ((uint64_t)off > size || len > size - (uint64_t)off)
		return fail(-ENXIO, "%s: offset %lld and length %llu pass the end at %llu", call,
			    (long long)off, (unsigned long long)len, (unsigned long long)size);
	*out = (struct range){ off, len ? len : size - (uint64_t)off, size };
	return 0;
}

uint64_t range_page(const struct region *r)
{
	return r->kind == REGION_HUGETLB ? r->page_size : page_sizes()->base;
}

int range_check(const struct range *range, const char *call, uint64_t unit)
{
	uint64_t off = (uint64_t)range->off;
	char text[SIZE_TEXT];

	if (is_multiple(off, unit) &&
	    (is_multiple(range->len, unit) || off + range->len == range->end_of_file))
		return 0;
	return fail(-EINVAL, "%s: offset %llu or length %llu is not a multiple of %s", call,
		    (unsigned long long)off, (unsigned long long)range->len, size_text(unit, text));
}
