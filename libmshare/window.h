/* SPDX-License-Identifier: MIT */
/* A mapping of a part of a region's object for the library itself, for the time of one call. */
#ifndef MSHARE_WINDOW_H
#define MSHARE_WINDOW_H

#include "range.h"

struct window {
	char *addr; /* of range.off */
	size_t len; /* whole pages */
	void *map; /* what is mapped begins on the grid before it */
	size_t map_len;
};

/* Maps the range, which is not empty. 0; or -errno with a sentence that begins with the call. */
must_check int window_open(const struct region *r, const char *call, const struct range *range,
			   int prot, struct window *out);
void window_close(const struct window *w);

#endif
