/* SPDX-License-Identifier: MIT */
/* Which mappings become regions, and how. */
#ifndef MSHARE_PRELOAD_CONVERT_H
#define MSHARE_PRELOAD_CONVERT_H

#include "raw.h"

/* Whether a call is big and shared, so that it is worth a closer look. */
bool convert_concerns(const struct map_call *call);

/*
 * Whether a call comes from libmshare.so itself, which a program may also use by itself: then
 * everything is done already. caller: where the call returns to. Outside of guard_enter(): may take
 * the lock of the dynamic linker.
 */
bool convert_is_own(const void *caller);

/*
 * Does the call, with a region where that is possible, as the kernel would where not, and reports
 * which. Within guard_enter(). 0 or -errno.
 */
must_check int convert_map(const struct map_call *call, void **out);

/*
 * Maps a System V segment by its descriptor with tables shared by the module, or not at all: 0, or
 * -errno with the reason. Within guard_enter().
 */
must_check int convert_segment(const struct map_call *call, void **out, char *reason, size_t size);

#endif
