/* SPDX-License-Identifier: MIT */
/*
 * System V segments stay what they are: identifier, key, owner, number of attached processes, and
 * the bytes that processes outside of `mshare run` see. Only how they are mapped gets better:
 *   hugetlb  a new segment is made with SHM_HUGETLB;
 *   thp      at an aligned address, with huge pages for what is filled, or for all with --populate;
 *   shim     where the kernel lets us have a descriptor of the segment (/proc/self/map_files), the
 *            program gets a linked mapping, and the attachment that the kernel counts is elsewhere.
 */
#ifndef MSHARE_PRELOAD_SYSV_H
#define MSHARE_PRELOAD_SYSV_H

#include <sys/ipc.h>

#include "util.h"

/* Whether the segment is known to have a size that is none of our business. No system call. */
bool sysv_is_small(int id);

/* Also below the threshold: makes no difference to the kernel's call then. Identifier or -errno. */
must_check int sysv_get(key_t key, size_t size, int flags);

/* Within guard_enter(). 0 or -errno. */
must_check int sysv_attach(int id, const void *addr, int flags, void **out);
must_check int sysv_detach(const void *addr);

/* Whether sysv_detach() knows more than the kernel. No lock. */
bool sysv_any(void);

#endif
