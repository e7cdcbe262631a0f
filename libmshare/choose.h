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

/* For an existing object of this kind. */
void choose_existing(const struct region_request *req, enum region_kind kind,
		     struct candidates *out);

#endif
