/* SPDX-License-Identifier: MIT */
/*
 * Converted mappings that the kernel does not treat as the program expects: longer than asked for
 * (huge pages, slots of the module), not to be split (both), or not to be moved and protected (the
 * module). All others are ordinary mappings and need no record.
 *
 *   start                    end            mapped_end
 *   |-- as asked, page ------|-- tail -------|
 *
 * Calls on a range that is not recorded go to the kernel as they are. Where the kernel refuses a
 * range of the module, an ordinary mapping of the same bytes takes the place of the linked one
 * first, and the call is made again. Huge pages that the program cuts are left by copying, while
 * only one thread of one process has them; after that the kernel's EINVAL stays.
 */
#ifndef MSHARE_PRELOAD_TRACKED_H
#define MSHARE_PRELOAD_TRACKED_H

#include "raw.h"

struct tracked {
	uintptr_t start;
	uintptr_t end;
	uintptr_t mapped_end;
	size_t unit; /* what lengths of the mapping are multiples of */
	uintptr_t spare; /* linked: an untouched ordinary mapping of the same bytes; else 0 */
	int prot; /* of all of it */
	bool copyable; /* no other process, and no descriptor, leads to the same bytes */
	unsigned int forks; /* guard_forks() when it was made */
};

/* Whether there is any record: without a lock. */
bool tracked_any(void);

/* 0; -ENOSPC: no room for another. What was recorded there is gone. */
must_check int tracked_add(const struct tracked *t);

/* Where the bytes at start are mapped in the ordinary way, and to their end. With guard_lock(). */
uintptr_t tracked_ordinary(uintptr_t start);

/* The kernel's calls, on what the program sees. 0 or -errno. */
must_check int tracked_munmap(void *addr, size_t len);
must_check int tracked_mprotect(void *addr, size_t len, int prot);
must_check int tracked_pkey_mprotect(void *addr, size_t len, int prot, int pkey);
must_check int tracked_madvise(void *addr, size_t len, int advice);
must_check int tracked_mlock(void *addr, size_t len, unsigned int flags); /* of mlock2(2) */
must_check int tracked_mremap(void *addr, size_t old_len, size_t new_len, int flags, void *to,
			      void **out);

/* Before a mapping replaces whatever is in the range (MAP_FIXED). */
must_check int tracked_vacate(void *addr, size_t len);

/* The kernel has put something new there: what was recorded there is gone without our seeing. */
void tracked_forget(void *addr, size_t len);

#endif
