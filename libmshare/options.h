/* SPDX-License-Identifier: MIT */
/* Structs that start with their size, and the checks on mshare_attr. */
#ifndef MSHARE_OPTIONS_H
#define MSHARE_OPTIONS_H

#include "mshare.h"
#include "util.h"

/* Sizes of the first release; they never change. */
#define ATTR_SIZE_V0 ((size_t)32)
#define IMAGE_ATTR_SIZE_V0 ((size_t)40)
#define STAT_SIZE_V0 sizeof(struct mshare_stat)
#define CAPS_SIZE_V0 sizeof(struct mshare_caps)

/*
 * Copies a caller's input struct into ours: src == NULL leaves the defaults in dst. -EINVAL:
 * shorter than `first`, -E2BIG: non-zero bytes beyond what we know. dst->size becomes dst_size.
 */
must_check int options_in(void *dst, size_t dst_size, const void *src, size_t first,
			  const char *what);

/* Checks the size of a caller's output struct: 0, -EINVAL or -E2BIG (beyond 4096). */
must_check int options_out_size(size_t size, size_t first, const char *what);

/* Copies ours out, cut or zero-extended to the caller's size, which stays in its first field. */
void options_out(void *dst, const void *src, size_t src_size);

/* The attr of a call, checked: 0, -EINVAL or -E2BIG. */
must_check int options_attr(const struct mshare_attr *in, struct mshare_attr *out);

/* The same for images, with defaults filled in; flags other than known are refused. */
must_check int options_image_attr(const struct mshare_image_attr *in, uint64_t known,
				  struct mshare_image_attr *out);

#endif
