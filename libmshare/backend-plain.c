/* SPDX-License-Identifier: MIT */
/* Ordinary MAP_SHARED in base pages: always works, and is what everything else is measured against.
 */
#include <errno.h>
#include <stdio.h>

#include "align.h"
#include "backing.h"
#include "log.h"

static void plain_probe(struct mshare_backend_caps *caps)
{
	char text[SIZE_TEXT];

	caps->page_size = page_sizes()->base;
	caps->error = 0;
	snprintf(caps->reason, sizeof(caps->reason),
		 "ordinary MAP_SHARED: 8 bytes of page table per %s and process",
		 size_text(caps->page_size, text));
}

static int plain_accepts(const struct region_request *req)
{
	return backend_check(&backend_plain, MSHARE_PAGES_BASE, req);
}

/* Aligned like the others, so that an address one backend has picked is good for all of them. */
static void describe(struct region *r, const struct region_request *req)
{
	const struct page_sizes *sizes = page_sizes();

	r->page_size = sizes->base;
	r->pages = MSHARE_PAGES_BASE;
	r->alignment = align_for(sizes, r->size, (int)req->attr.align);
}

static int plain_create(struct region *r, const struct region_request *req)
{
	int err = backing_create_shmem(r, req);

	if (!err)
		describe(r, req);
	return err;
}

static int plain_adopt(struct region *r, const struct region_request *req)
{
	if (r->kind == REGION_HUGETLB)
		return fail(-EOPNOTSUPP, "plain: the object consists of hugetlb pages");
	describe(r, req);
	return 0;
}

static int plain_attached(struct region *r, const struct attachment *a, bool populate)
{
	(void)r;
	return populate ? backend_populate(a) : 0;
}

const struct backend_ops backend_plain = {
	.name = "plain",
	.id = MSHARE_BACKEND_PLAIN,
	.probe = plain_probe,
	.accepts = plain_accepts,
	.create = plain_create,
	.adopt = plain_adopt,
	.attached = plain_attached,
};
