/* SPDX-License-Identifier: MIT */
/* One mapping on its way to become a region. */
#ifndef MSHARE_PRELOAD_CONVERSION_H
#define MSHARE_PRELOAD_CONVERSION_H

#include "raw.h"
#include "region.h"

/* What its steps pass on. */
struct conversion {
	const struct map_call *call;
	struct region *region; /* owned */
	void *addr;
	uint64_t mapped; /* bytes, with the tail */
	bool linked;
	bool too_big; /* to be populated in its control group */
	bool tables_only; /* what huge pages alone would do is done elsewhere */
	char reason[256]; /* why it stays with the kernel, or gets no better backend */
};

static inline bool is_anonymous(const struct map_call *call)
{
	return call->flags & MAP_ANONYMOUS;
}

void conversion_say(struct conversion *c, const char *reason);

/* -EOPNOTSUPP: stays with the kernel, and why. */
must_check int conversion_pass(struct conversion *c, const char *reason);

/* Whether all of it is to be allocated at once. */
bool conversion_populates(struct conversion *c);

/* Whether tables of the mapping are shared if it is at addr; c->mapped is known. */
bool conversion_shares(const struct conversion *c, const void *addr);

/*
 * Maps c->region where and how the call wants it: 0, or -errno with c->reason; nothing is mapped.
 */
must_check int conversion_attach(struct conversion *c);

#endif
