/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align.h"
#include "attachment.h"
#include "backing.h"
#include "choose.h"
#include "control.h"
#include "log.h"
#include "shim-parts.h"

static struct region *region_alloc(void)
{
	struct region *r = calloc(1, sizeof(*r));

	if (r) {
		atomic_init(&r->refs, 1);
		r->fd = -1;
	}
	return r;
}

void region_get(struct region *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
}

void region_put(struct region *r)
{
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	region_unlock_all(r);
	attachment_forget_all(r);
	if (r->fd >= 0)
		sys_close(r->fd);
	free(r);
}

/* The first refusal is of the best backend: that is the one people ask about. */
static void note_refusal(struct region *r)
{
	if (!r->reason[0])
		snprintf(r->reason, sizeof(r->reason), "%s", fail_reason());
}

static void describe(struct region *r, const struct backend_ops *ops,
		     const struct region_request *req)
{
	uint64_t pmd = page_sizes()->pmd;

	r->ops = ops;
	r->grid = r->page_size > pmd ? r->page_size : pmd;
	if (!r->map_unit)
		r->map_unit = r->kind == REGION_HUGETLB ? r->page_size : page_sizes()->base;
	r->require_shared = req->attr.flags & MSHARE_REQUIRE_SHARED_TABLES;
	r->noreserve = req->attr.flags & MSHARE_NORESERVE;
	/* Who got the pages asked for by name misses nothing. */
	if (req->attr.prefer && r->pages >= req->attr.prefer)
		r->reason[0] = '\0';
	if (req->name)
		snprintf(r->name, sizeof(r->name), "%s", req->name + 1);
}

/* Tries the candidates in order; -EOPNOTSUPP leads to the next, any other error is final. */
static int try_candidates(struct region *r, const struct region_request *req,
			  const struct candidates *candidates, bool create)
{
	int err = -EOPNOTSUPP;

	for (unsigned int i = 0; i < candidates->count; i++) {
		const struct backend_ops *ops = candidates->ops[i];

		err = ops->accepts(req);
		if (!err)
			err = create ? ops->create(r, req) : ops->adopt(r, req);
		if (!err) {
			describe(r, ops, req);
			return 0;
		}
		if (err != -EOPNOTSUPP)
			return err;
		note_refusal(r);
	}
	return fail(err, "%s", r->reason);
}

/* Kind, device and inode of what create() made; its page size is known better there. */
static int inspect_new(struct region *r)
{
	uint64_t page_size = r->page_size;
	int err = backing_inspect(r->fd, r);

	r->page_size = page_size;
	return err;
}

int region_create(const struct region_request *req, struct region **out)
{
	struct candidates candidates;
	struct region *r = region_alloc();
	int err;

	if (!r)
		return fail(-ENOMEM, "no memory for a region's bookkeeping");
	choose_new(req, &candidates);
	err = try_candidates(r, req, &candidates, true);
	if (!err) {
		err = inspect_new(r);
		if (err && req->name && !req->unlinked && backing_unlink(req->name))
			debug("region \"%s\" could not be removed again", req->name);
	}
	if (err) {
		region_put(r);
		return err;
	}
	*out = r;
	return 0;
}

int region_adopt(int fd, const struct region_request *req, struct region **out)
{
	struct candidates candidates;
	struct region *r = region_alloc();
	int err;

	if (!r)
		return fail(-ENOMEM, "no memory for a region's bookkeeping");
	err = backing_inspect(fd, r);
	if (!err) {
		bool hosted = r->kind != REGION_HUGETLB && shim_hosts(fd, r->writable);

		if (hosted && req->attr.prefer > MSHARE_PAGES_BASE)
			snprintf(r->reason, sizeof(r->reason), "a process hosts its page tables");
		choose_existing(req, r->kind, hosted, &candidates);
		err = try_candidates(r, req, &candidates, false);
	}
	if (err) {
		region_put(r);
		return err;
	}
	r->fd = fd;
	*out = r;
	return 0;
}

int region_size_now(const struct region *r, uint64_t *size)
{
	struct stat st;
	int err = sys_fstat(r->fd, &st);

	if (err)
		return fail(err, "the region's descriptor %d cannot be inspected (error %d)", r->fd,
			    -err);
	*size = (uint64_t)st.st_size;
	return 0;
}

bool region_shares_tables(const struct region *r)
{
	return r->share_unit && r->size >= r->share_unit && r->alignment >= r->share_unit &&
	       !atomic_load(&r->degraded);
}

bool region_shares_at(const struct region *r, const void *addr, off_t off, uint64_t len)
{
	return r->share_unit && !atomic_load(&r->degraded) &&
	       align_has_whole((uintptr_t)addr, (uint64_t)off, len, r->share_unit);
}
