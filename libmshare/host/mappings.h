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

/* What is to be mapped in [off, off+len) of the object. */
struct part {
	uint64_t off, len;
	int fd;
	uint64_t fd_off;
	int prot;
};

/*
 * Maps it in all mappings, with what its rights and theirs allow. 0; or -errno, and then nothing
 * has changed.
 */
must_check int mappings_map(const struct part *part);

/* The effect of madvise(2) for the range, whichever mappings have it. 0 or the first error. */
must_check int mappings_advise(uint64_t off, uint64_t len, int advice);

/* Maps at `to` what is mapped in `from`, with the rights it has there. 0 or -errno. */
must_check int mappings_copy(const struct mapping *from, char *to);

#endif
