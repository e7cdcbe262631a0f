/* SPDX-License-Identifier: MIT */
/* What a caller of mshare_save() and mshare_load() hears, and how it says "stop". */
#ifndef MSHARE_IMAGE_PROGRESS_H
#define MSHARE_IMAGE_PROGRESS_H

#include "mshare.h"
#include "util.h"

struct image_progress {
	const struct mshare_image_attr *attr;
	uint64_t done;
	uint64_t total;
	bool too_late; /* to stop: the answer of the caller is not asked for any more */
};

/* Some more bytes are done. 0, or -ECANCELED with a sentence. No lock is held. */
must_check int image_progress_add(struct image_progress *p, uint64_t bytes);

#endif
