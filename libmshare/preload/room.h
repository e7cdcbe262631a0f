/* SPDX-License-Identifier: MIT */
/* Aligned addresses, as hints for calls that choose for themselves. */
#ifndef MSHARE_PRELOAD_ROOM_H
#define MSHARE_PRELOAD_ROOM_H

#include "util.h"

/* Where len bytes, aligned as regions of that size are, fitted a moment ago; NULL: nowhere. */
void *room_find(size_t len);

#endif
