/* SPDX-License-Identifier: MIT */
/* mshare_flush(): checks of the range, and what each flag means for a file. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "flush.h"
#include "handle.h"
#include "log.h"
#include "range.h"
#include "shim-parts.h"

/* msync(2) of an attachment reaches whatever object is there. */
static int flush_attached(struct region *r, const struct range *range)
{
	uint64_t start = align_down((uint64_t)range->off, r->grid);
	const struct attach_request whole = {
		.off = (off_t)start,
		.len = (uint64_t)range->off + range->len - start,
		.prot = PROT_READ,
	};
	void *addr;
	int err = region_attach(r, &whole, &addr);
	int detached;

	if (err)
		return err;
	err = sys_msync(addr, whole.len);
	detached = region_detach(r, addr, whole.len);
	if (err)
		return fail(err, "flush: writing back what is attached failed (%s)",
			    strerrordesc_np(-err));
	return detached;
}

static int flush_to_storage(struct region *r, const struct range *range)
{
	bool used_uring = false;
	int err;

	if (range->len == 0)
		return 0;
	if (shim_parts(r))
		return flush_attached(r, range);
	if (r->kind != REGION_FILE)
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

/* A hole in the file is a hole for everybody: the kernel unmaps the range in every process first.
 */
static int discard(struct region *r, const struct range *range)
{
	int err = range_check(range, "flush", range_page(r));

	if (err)
		return err;
	if (!r->writable)
		return fail(-EACCES, "flush: discard of a region opened for reading only");
	if (range->len == 0)
		return 0;
	err = shim_refuse_parts(r, "flush");
	if (err)
		return err;
	err = sys_punch_hole(r->fd, range->off, (off_t)range->len);
	return err ? discard_error(r, err) : 0;
}

static int drop_links(struct region *r, const struct range *range)
{
	int err;

	if (!r->ops->drop_links)
		return fail(-EOPNOTSUPP, "flush: the %s backend has no shared translations to drop",
			    r->ops->name);
	err = range_check(range, "flush", range_page(r));
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
	int err = range_find(r, "flush", off, len, &range);

	if (!err)
		err = flush_by_flag(r, &range, flags);
	if (err)
		return err;
	state_lock();
	r->flushes++;
	state_unlock();
	return 0;
}
