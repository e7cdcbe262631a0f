/* SPDX-License-Identifier: MIT */
/* Which backends to try for a region, best first. */
#ifndef MSHARE_CHOOSE_H
#define MSHARE_CHOOSE_H

#include "region.h"

struct candidates {
	const struct backend_ops *ops[MSHARE_BACKEND_COUNT];
	unsigned int count;
};

/* For a new region. */
void choose_new(const struct region_request *req, struct candidates *out);

/*
 * For an existing object of this kind. hosted: a process hosts page tables for it. Then those come
 * first: who has others is not bound by what mshare_protect() and mshare_map() did to all.
 */
void choose_existing(const struct region_request *req, enum region_kind kind, bool hosted,
		     struct candidates *out);

#endif
