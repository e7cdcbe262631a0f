/* SPDX-License-Identifier: MIT */
/* Which kernel this is, where a test has to know. */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

bool kernel_is_before(unsigned int major, unsigned int minor);

/*
 * How much a test can afford to do: `many`, but `few` on a kernel that looks for its own mistakes
 * at every access to memory, and is slow.
 */
size_t kernel_can_do(size_t many, size_t few);

#endif
