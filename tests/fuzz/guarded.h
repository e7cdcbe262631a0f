/* SPDX-License-Identifier: MIT */
/* Memory that ends where the address space does: reading or writing one byte too many is fatal,
 * with or without a sanitizer. */
#ifndef TEST_FUZZ_GUARDED_H
#define TEST_FUZZ_GUARDED_H

#include <stddef.h>

#define GUARDED_MAX ((size_t)16384)

/* `size` bytes (at most GUARDED_MAX) right in front of an inaccessible page. Valid until the next
 * call. */
void *guarded(size_t size);

/* The same, holding a copy of `used` bytes, zeros after them. */
void *guarded_copy(const void *bytes, size_t used, size_t size);

#endif
