/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdio.h>

#include "backend.h"

const char *region_name(const char *typed, char *buf)
{
	if (typed[0] == '/' || !typed[0])
		return typed;
	snprintf(buf, REGION_NAME_SIZE, "/%s", typed);
	return buf;
}

const char *backend_name(uint32_t backend)
{
	const struct backend_ops *ops = backend_by_id((enum mshare_backend)backend);

	return ops ? ops->name : "none";
}

const char *pages_name(uint32_t pages)
{
	static const char *const names[] = {
		[MSHARE_PAGES_AUTO] = "auto",	    [MSHARE_PAGES_BASE] = "base",
		[MSHARE_PAGES_THP] = "thp",	    [MSHARE_PAGES_PMD] = "hugetlb-pmd",
		[MSHARE_PAGES_PUD] = "hugetlb-pud",
	};

	return pages < sizeof(names) / sizeof(names[0]) ? names[pages] : "unknown";
}
