/* SPDX-License-Identifier: MIT */
/*
 * The machine's pools of hugetlb pages, and how to make them larger. For sentences only: whether
 * pages can be had is found out by reserving them.
 */
#ifndef MSHARE_HUGEPOOL_H
#define MSHARE_HUGEPOOL_H

#include "util.h"

struct hugepool {
	uint64_t total; /* pages it has, used or not */
	uint64_t available; /* of those, free and not reserved for anybody */
};

/* 0, or -errno: there is no such pool. */
must_check int hugepool_read(uint64_t page_size, struct hugepool *out);

/* The command that makes the pool this large. sudo: "sudo " or "". Returns out. */
const char *hugepool_command(uint64_t page_size, uint64_t total, const char *sudo, char *out,
			     size_t out_size);

/* "needs 4 huge pages of 2 MiB, 1 is free: ..." with the command that adds what is missing. */
void hugepool_sentence(uint64_t page_size, uint64_t need, char *out, size_t out_size);

#endif
