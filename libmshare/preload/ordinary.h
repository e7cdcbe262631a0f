/* SPDX-License-Identifier: MIT */
/* Ordinary mappings of the same bytes in the place of converted ones. With guard_lock(). */
#ifndef MSHARE_PRELOAD_ORDINARY_H
#define MSHARE_PRELOAD_ORDINARY_H

#include "records.h"

/* 0: there is no record any more. Or -errno: nothing has changed. */
must_check int make_ordinary(struct tracked *t);

/* All in the range; whether there was any, so that the kernel's call is worth another try. */
must_check bool make_range_ordinary(struct range r);

/* Those that the module has linked; whether there was any. */
bool unlink_range(struct range r);

/* Whether the kernel may have refused because of what the mapping is. */
must_check bool is_refusal(int err);

#endif
