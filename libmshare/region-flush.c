/* SPDX-License-Identifier: MIT */
/* mshare_flush(): checks of the range, and what each flag means for a file. */
#include <errno.h>

#include "align.h"
#include "flush.h"
#include "handle.h"
#include "log.h"
#include "region.h"

/* A part of the region, and where the file ends now, which may not be where it ended when opened. */
struct range {
	off_t off;
	uint64_t len;
	uint64_t end_of_file;
};

/* Makes of len 0 "until the end" and refuses what passes it. */
static int find_range(const struct region *r, off_t off, uint64_t len, struct range *out)
{
	uint64_t size;
	int err;

	if (off < 0)
		return fail(-EINVAL, "flush: offset %lld is negative", (long long)off);
	err = region_size_now(r, &size);
	if (err)
		return err;
	if ((uint64_t)off > size || len > size - (uint64_t)off)
		return fail(-ENXIO, "flush: offset %lld and length %llu pass the end at %llu",
			    (long long)off, (unsigned long long)len, (unsigned long long)size);
	*out = (struct range){ off, len ? len : size - (uint64_t)off, size };
	return 0;
}

static int flush_to_storage(struct region *r, const struct range *range)
{
	bool used_uring = false;
	int err;

	if (r->kind != REGION_FILE || range->len == 0)
		return 0;
	err = flush_data(r->fd, range->off, range->len, &used_uring);
	atomic_store(&r->uring_used, used_uring);
	return err;
}

static int discard_error(const struct region *r, int err)
{
	if (err == -EPERM)
		return fail(err, "flush: the memfd is sealed against writing (seals 0x%x)",
			    (unsigned int)sys_seals(r->fd));
	if (err == -EOPNOTSUPP || err == -ENOSYS)
		return fail(-EOPNOTSUPP, "flush: this file system cannot punch holes");
	return fail(err, "flush: punching a hole failed (error %d)", -err);
}

/* Whole pages, or up to the end. */
static int check_pages(const struct region *r, const struct range *range)
{
	uint64_t unit = r->kind == REGION_HUGETLB ? r->page_size : page_sizes()->base;
	uint64_t off = (uint64_t)range->off;
	char text[SIZE_TEXT];

	if (is_multiple(off, unit) &&
	    (is_multiple(range->len, unit) || off + range->len == range->end_of_file))
		return 0;
	return fail(-EINVAL, "flush: offset %llu or length %llu is not a multiple of %s",
		    (unsigned long long)off, (unsigned long long)range->len, size_text(unit, text));
}

/* A hole in the file is a hole for everybody: the kernel unmaps the range in every process first.
 */
static int discard(struct region *r, const struct range *range)
{
	int err = check_pages(r, range);

	if (err)
		return err;
	if (!r->writable)
		return fail(-EACCES, "flush: discard of a region opened for reading only");
	if (range->len == 0)
		return 0;
	err = sys_punch_hole(r->fd, range->off, (off_t)range->len);
	return err ? discard_error(r, err) : 0;
}

static int drop_links(struct region *r, const struct range *range)
{
	int err;

	if (!r->ops->drop_links)
		return fail(-EOPNOTSUPP, "flush: the %s backend has no shared translations to drop",
			    r->ops->name);
	err = check_pages(r, range);
	return err || !range->len ? err : r->ops->drop_links(r, range->off, range->len);
}

static int flush_by_flag(struct region *r, const struct range *range, unsigned int flags)
{
	switch (flags) {
	case MSHARE_FLUSH_DATA:
		return flush_to_storage(r, range);
	case MSHARE_FLUSH_DISCARD:
		return discard(r, range);
	case MSHARE_FLUSH_TLB:
		return drop_links(r, range);
	default:
		return fail(-EINVAL, "flush: flags 0x%x are not exactly one MSHARE_FLUSH_ flag",
			    flags);
	}
}

int region_flush(struct region *r, off_t off, uint64_t len, unsigned int flags)
{
	struct range range = { 0 };
	int err = find_range(r, off, len, &range);

	if (!err)
		err = flush_by_flag(r, &range, flags);
	if (err)
		return err;
	state_lock();
	r->flushes++;
	state_unlock();
	return 0;
}
