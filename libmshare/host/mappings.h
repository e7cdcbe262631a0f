/* SPDX-License-Identifier: MIT */
/* The mappings of the object that this process has registered: at least one for each protection. */
#ifndef MSHARE_HOST_MAPPINGS_H
#define MSHARE_HOST_MAPPINGS_H

#include "util.h"

/* All begin where the object does. */
struct mapping {
	char *addr;
	size_t len;
	int prot; /* of the view; parts may allow less */
};

/* Room for it comes first: what is registered must be remembered. */
must_check int mappings_reserve(void);
void mappings_add(void *addr, size_t len, int prot);

/* The largest of this protection; NULL if there is none. */
const struct mapping *mappings_largest(int prot);

/*
 * Allows in [off, off+len) what prot has and no more, in all mappings. 0; or -errno, and then
 * nothing has changed.
 */
must_check int mappings_protect(uint64_t off, uint64_t len, int prot);

/* madvise(2) of the range in all mappings. 0 or the first error. */
must_check int mappings_advise(uint64_t off, uint64_t len, int advice);

/* Forbids in `to` what is forbidden in `from`. 0 or -errno. */
must_check int mappings_copy_protection(const struct mapping *from, char *to);

#endif
