/* SPDX-License-Identifier: MIT */
/*
 * The limit of memory that a control group sets. Filling a mapping beyond it would call the OOM
 * killer, which nobody wants of an option that is there for speed.
 */
#ifndef MSHARE_PRELOAD_MEMLIMIT_H
#define MSHARE_PRELOAD_MEMLIMIT_H

#include "util.h"

/* Bytes that this process's group and those around it have left; UINT64_MAX: any. */
uint64_t memlimit_left(void);

/* The same, or what the whole machine has left without swapping, if that is less. */
uint64_t memlimit_available(void);

#endif
