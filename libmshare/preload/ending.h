/* SPDX-License-Identifier: MIT */
/*
 * What converted mappings were when they ended, for the report: when this process unmaps or
 * replaces them, or exits. Each is remembered by the process that made it, and only if there is a
 * report.
 */
#ifndef MSHARE_PRELOAD_ENDING_H
#define MSHARE_PRELOAD_ENDING_H

#include "report.h"

/* A mapping that was converted. Strings of e but the reason live for ever. Within guard_enter(). */
void ending_expect(const struct report_entry *e);

/* Whether calls on the range may end any: without a lock. */
bool ending_concerns(const void *addr, size_t len);

/*
 * Before the kernel unmaps or replaces the range, and after it has, or has not (err). Within
 * guard_enter().
 */
void ending_prepare(const void *addr, size_t len);
void ending_done(const void *addr, size_t len, int err);

/* Whatever mapping begins at addr: its length; 0: none that we know. Within guard_enter(). */
size_t ending_length(const void *addr);

/* mremap(2) has made [from, from+old_len) into [to, to+new_len). Within guard_enter(). */
void ending_moved(const void *from, size_t old_len, const void *to, size_t new_len);

/*
 * The program has changed a part of the mapping at addr, and the report says what it became. With
 * guard_lock().
 */
void ending_forget(uintptr_t addr);

#endif
