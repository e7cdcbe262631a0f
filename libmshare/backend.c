/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "region.h"

static const struct backend_ops *const all[MSHARE_BACKEND_COUNT] = {
	[MSHARE_BACKEND_PLAIN] = &backend_plain,
	[MSHARE_BACKEND_THP] = &backend_thp,
	[MSHARE_BACKEND_HUGETLB] = &backend_hugetlb,
	[MSHARE_BACKEND_SHIM] = &backend_shim,
};

const struct backend_ops *backend_by_id(enum mshare_backend id)
{
	return (unsigned int)id < MSHARE_BACKEND_COUNT ? all[id] : NULL;
}

const struct backend_ops *backend_by_name(const char *name)
{
	for (int i = 0; i < MSHARE_BACKEND_COUNT; i++) {
		if (all[i] && !strcmp(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

static const char *pages_text(enum mshare_pages pages)
{
	static const char *const text[] = { "any pages", "base pages", "transparent huge pages",
					    "hugetlb pages of PMD size",
					    "hugetlb pages of PUD size" };

	return text[pages];
}

int backend_check(const struct backend_ops *ops, enum mshare_pages best,
		  const struct region_request *req)
{
	if (req->attr.require > best)
		return fail(-EOPNOTSUPP, "%s: gives at best %s, %s are required", ops->name,
			    pages_text(best), pages_text(req->attr.require));
	if ((req->attr.flags & MSHARE_REQUIRE_SHARED_TABLES) && !ops->shares_tables)
		return fail(-EOPNOTSUPP,
			    "%s: each process has page tables of its own, shared "
			    "tables are required",
			    ops->name);
	return 0;
}

int backend_populate(const struct attachment *a)
{
	char text[SIZE_TEXT];
	int advice = a->prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	int err = sys_madvise(a->addr, a->len, advice);

	if (err == -EINVAL)
		return fail(-EOPNOTSUPP, "MSHARE_POPULATE needs Linux 5.14 or later");
	/* EFAULT stands for the SIGBUS that touching the page would have raised. */
	if (err == -EFAULT || err == -ENOMEM)
		return fail(-ENOMEM,
			    "no memory to populate %s: the machine, a cgroup or the "
			    "file system is full",
			    size_text(a->len, text));
	return err ? fail(err, "populating %s failed", size_text(a->len, text)) : 0;
}
