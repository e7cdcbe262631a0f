/* SPDX-License-Identifier: MIT */
/* Waiting for the end of the last user without looking for it again and again. */
#ifndef MSHARE_HOST_VIGIL_H
#define MSHARE_HOST_VIGIL_H

#include "util.h"

/* Once, before the first wait: 0 or -errno. */
must_check int vigil_start(void);

/*
 * Returns when nobody uses the region, at once when nobody does, or after so many milliseconds: 0,
 * and who cares finds out which it was; or -errno. What is waited for is an exclusive lock on the
 * presence byte; it is given back when it is there, and host_announce() knows about the moment
 * between.
 */
must_check int vigil_keep(int lock_fd, uint64_t ms);

#endif
