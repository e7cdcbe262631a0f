/* SPDX-License-Identifier: MIT */
/* Where a mapping goes: aligned addresses, fixed addresses, and one address for all processes. */
#ifndef MSHARE_PLACE_H
#define MSHARE_PLACE_H

#include "util.h"

struct place_request {
	size_t len; /* a multiple of the page size */
	size_t align; /* power of two */
	int prot;
	int fd;
	off_t off;
};

/*
 * Anywhere aligned. One system call when the place beside the last mapping is free, otherwise three
 * more for each time that another thread is faster. A failure has changed no mapping of anybody.
 */
must_check int place_anywhere(const struct place_request *req, void **out);

/* At addr or -EEXIST. */
must_check int place_fixed(const struct place_request *req, void *addr, void **out);

/*
 * The address that every process derives for offset 0 of this file. Depends on nothing but the
 * file's identity, so that it survives growth and different attributes. Room for PLACE_SAME_MAX
 * bytes follows.
 */
#define PLACE_SAME_MAX ((uint64_t)16 << 40)
uint64_t place_same_addr(dev_t dev, ino_t ino);

/* Tells that [addr, addr+len) is free again and a good place for the next mapping. */
void place_freed(void *addr, size_t len);

#endif
