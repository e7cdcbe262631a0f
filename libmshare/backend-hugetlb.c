/* SPDX-License-Identifier: MIT */
/*
 * Pages from the reserved pool. Where an attachment covers whole, aligned PUD ranges, the kernel
 * itself lets processes share the PMD tables (mm/hugetlb.c, huge_pmd_share()), so addresses are
 * placed on PUD boundaries from that size on.
 */
#include <errno.h>
#include <stdio.h>

#include "align.h"
#include "backing.h"
#include "hugepool.h"
#include "log.h"
#include "probe.h"

static uint64_t pages_for(uint64_t size, uint64_t page_size)
{
	return size / page_size + (size % page_size != 0);
}

static void hugetlb_probe(struct mshare_backend_caps *caps)
{
	uint64_t page_size = page_sizes()->pmd;
	struct hugepool pool = { 0 };
	int err = probe_hugetlb(page_size);

	caps->error = -err;
	caps->page_size = err ? 0 : page_size;
	if (err)
		hugepool_sentence(page_size, 1, caps->reason, sizeof(caps->reason));
	else if (hugepool_read(page_size, &pool))
		snprintf(caps->reason, sizeof(caps->reason),
			 "huge pages can be reserved; the kernel shares their PMD tables");
	else
		snprintf(caps->reason, sizeof(caps->reason),
			 "%llu huge page%s free (more with overcommit); the kernel shares their "
			 "PMD tables",
			 (unsigned long long)pool.available, pool.available == 1 ? "" : "s");
}

static int check_shared(const struct region_request *req, uint64_t size)
{
	char have[SIZE_TEXT];
	char need[SIZE_TEXT];

	if (!(req->attr.flags & MSHARE_REQUIRE_SHARED_TABLES))
		return 0;
	if (align_for(page_sizes(), page_sizes()->pud, (int)req->attr.align) < page_sizes()->pud)
		return fail(-EOPNOTSUPP,
			    "hugetlb: PMD tables are shared at addresses aligned to %s only, "
			    "attr.align asks for less",
			    size_text(page_sizes()->pud, need));
	if (size >= page_sizes()->pud)
		return 0;
	return fail(-EOPNOTSUPP, "hugetlb: PMD tables are shared from %s on, the region has %s",
		    size_text(page_sizes()->pud, need), size_text(size, have));
}

static int hugetlb_accepts(const struct region_request *req)
{
	int err = backend_check(&backend_hugetlb, MSHARE_PAGES_PUD, req);

	if (!err && req->size)
		err = check_shared(req, req->size);
	return err;
}

static void describe(struct region *r, const struct region_request *req, uint64_t page_size)
{
	uint64_t alignment = align_for(page_sizes(), r->size, (int)req->attr.align);

	r->page_size = page_size;
	r->pages = page_size >= page_sizes()->pud ? MSHARE_PAGES_PUD : MSHARE_PAGES_PMD;
	r->alignment = alignment > page_size ? alignment : page_size;
	r->share_unit = page_sizes()->pud;
	r->map_unit = page_size;
}

static int create_with(struct region *r, const struct region_request *req, uint64_t page_size)
{
	char sentence[200];
	char text[SIZE_TEXT];
	uint64_t size;
	int err = align_up(req->size, page_size, &size);

	if (err)
		return fail(err, "size %zu does not fit a file offset once aligned", req->size);
	err = backing_create_hugetlb(r, req, size, page_size);
	if (err == -ENOENT && req->name)
		return fail(-EOPNOTSUPP,
			    "hugetlb: a name needs a hugetlbfs with pages of %s that we may write "
			    "to: mount -t hugetlbfs -o pagesize=%lluM none /dev/hugepages",
			    size_text(page_size, text), (unsigned long long)(page_size / MIB));
	if (err == -ENOMEM || err == -EINVAL || err == -ENOENT || err == -ENOSYS) {
		hugepool_sentence(page_size, pages_for(req->size, page_size), sentence,
				  sizeof(sentence));
		return fail(-EOPNOTSUPP, "hugetlb: %s", sentence);
	}
	if (err)
		return backing_create_error(err, req);
	describe(r, req, page_size);
	return 0;
}

static int hugetlb_create(struct region *r, const struct region_request *req)
{
	bool want_pud =
		req->attr.prefer == MSHARE_PAGES_PUD || req->attr.require == MSHARE_PAGES_PUD;
	int err = want_pud ? create_with(r, req, page_sizes()->pud) : -EOPNOTSUPP;

	if (err == -EOPNOTSUPP && req->attr.require != MSHARE_PAGES_PUD)
		err = create_with(r, req, page_sizes()->pmd);
	return err;
}

static int hugetlb_adopt(struct region *r, const struct region_request *req)
{
	if (r->kind != REGION_HUGETLB)
		return fail(-EOPNOTSUPP, "hugetlb: the object does not consist of hugetlb pages");
	if (req->attr.require == MSHARE_PAGES_PUD && r->page_size < page_sizes()->pud)
		return fail(-EOPNOTSUPP, "hugetlb: the object has pages of PMD size, PUD size is "
					 "required");
	describe(r, req, r->page_size);
	return check_shared(req, r->size);
}

static int hugetlb_attached(struct region *r, const struct attachment *a, bool populate)
{
	(void)r;
	return populate ? backend_populate(a) : 0;
}

const struct backend_ops backend_hugetlb = {
	.name = "hugetlb",
	.id = MSHARE_BACKEND_HUGETLB,
	.probe = hugetlb_probe,
	.accepts = hugetlb_accepts,
	.create = hugetlb_create,
	.adopt = hugetlb_adopt,
	.attached = hugetlb_attached,
	.shares_tables = true,
};
