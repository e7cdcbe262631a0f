/* SPDX-License-Identifier: MIT */
/* Trouble with the memory of a region, while other processes verify each word of it. */
#ifndef TEST_VERIFY_H
#define TEST_VERIFY_H

#include "scene.h"
#include "servant.h"

#define VERIFIERS 3

/*
 * The scene with that many attached processes besides, which read and write its data on and on. How
 * many pages of the region are huge in the end is the trouble's affair.
 */
typedef void make_trouble(const struct scene *s, const struct servant *host);
void under_verification(int fd, size_t size, make_trouble *trouble);

/* Swap on compressed memory. */
void swap_begin(void);
void swap_end(void);

/* A file of the kernel that contains one number. */
uint64_t number_in(const char *path);

/* Whether there is a second NUMA node; says so if not. */
bool has_two_nodes(void);

/* Whether the mapping over at has that one among the VmFlags of smaps. */
bool vma_has_flag(const void *at, const char *flag);

#endif
