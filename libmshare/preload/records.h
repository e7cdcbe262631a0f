/* SPDX-License-Identifier: MIT */
/* The table of what tracked.h is about. With guard_lock(), all of it but tracked_any(). */
#ifndef MSHARE_PRELOAD_RECORDS_H
#define MSHARE_PRELOAD_RECORDS_H

#include "tracked.h"

struct range {
	uintptr_t start;
	uintptr_t end;
};

/* Rounded up to pages. */
struct range range_of(const void *addr, size_t len);

/* Any record in the range, from the i-th on. */
struct tracked *record_next(struct range r, size_t *i);

/* 0; -ENOSPC: no room for another. What was recorded there is gone. */
must_check int record_add(const struct tracked *t);

/* Another one may be in its place then. */
void record_drop(struct tracked *t);

/* The length of the range; of what reaches the end that the program knows, to the real one. */
size_t records_with_tail(struct range r);

/* Records of mappings that are gone without our seeing. */
void records_drop_stale(struct range r);

/* Of what has just been unmapped. */
void records_forget_unmapped(struct range r);

#endif
