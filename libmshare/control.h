/* SPDX-License-Identifier: MIT */
/*
 * Region-wide control: one call, every attached process. Each returns 0, or -errno with a sentence.
 */
#ifndef MSHARE_CONTROL_H
#define MSHARE_CONTROL_H

#include "region.h"

must_check int region_protect(struct region *r, off_t off, uint64_t len, int prot);
must_check int region_advise(struct region *r, off_t off, uint64_t len, int advice);

must_check int region_lock(struct region *r, off_t off, uint64_t len);
must_check int region_unlock(struct region *r, off_t off, uint64_t len);
/* For the last who has the region. */
void region_unlock_all(struct region *r);

/* As for mbind(2). */
struct mempolicy {
	int mode;
	const unsigned long *nodes;
	unsigned long max;
};
must_check int region_mempolicy(struct region *r, off_t off, uint64_t len,
				const struct mempolicy *policy);

struct map_request {
	off_t off; /* of the region */
	uint64_t len;
	int fd; /* -1: anonymous memory */
	off_t fd_off;
	int prot;
};
must_check int region_map(struct region *r, const struct map_request *req);
/* Puts everything back to what is the region's own, if anything is not. */
must_check int region_unmap_parts(struct region *r);

must_check int region_resize(struct region *r, uint64_t size);
must_check int region_revoke(struct region *r);
must_check int region_handover(struct region *r, pid_t pid);

#endif
