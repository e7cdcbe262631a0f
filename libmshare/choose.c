/* SPDX-License-Identifier: MIT */
#include "choose.h"

static void add(struct candidates *out, const struct backend_ops *ops)
{
	out->ops[out->count++] = ops;
}

/* A forced backend is the only one: failing is better than measuring something else than asked for.
 */
static bool only_forced(const struct region_request *req, struct candidates *out)
{
	out->count = 0;
	if (req->forced)
		add(out, req->forced);
	return req->forced;
}

void choose_new(const struct region_request *req, struct candidates *out)
{
	enum mshare_pages prefer = req->attr.prefer;

	if (only_forced(req, out))
		return;
	if (prefer == MSHARE_PAGES_AUTO || prefer >= MSHARE_PAGES_PMD)
		add(out, &backend_hugetlb);
	if (prefer != MSHARE_PAGES_BASE)
		add(out, &backend_thp);
	add(out, &backend_shim);
	add(out, &backend_plain);
}

void choose_existing(const struct region_request *req, enum region_kind kind, bool hosted,
		     struct candidates *out)
{
	if (only_forced(req, out))
		return;
	if (kind == REGION_HUGETLB) {
		add(out, &backend_hugetlb);
		return;
	}
	if (hosted)
		add(out, &backend_shim);
	if (kind == REGION_SHMEM && req->attr.prefer != MSHARE_PAGES_BASE)
		add(out, &backend_thp);
	if (!hosted)
		add(out, &backend_shim);
	add(out, &backend_plain);
}
