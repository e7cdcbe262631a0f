/* SPDX-License-Identifier: MIT */
/*
 * What became of big shared mappings, for people or as JSON: a line for each, written when it
 * happens, because a program may end in ways that give nobody a last word; and another one when a
 * converted mapping ends, as far as it does give us one.
 */
#ifndef MSHARE_PRELOAD_REPORT_H
#define MSHARE_PRELOAD_REPORT_H

#include "raw.h"

struct report_entry {
	const char *kind; /* "anonymous", "file", "memfd", ... */
	size_t len; /* as asked for */
	const void *addr; /* NULL: the call failed */
	const char *backend; /* of a converted one; NULL: left to the kernel */
	uint64_t page_size; /* what an entry maps at best */
	bool shared_tables; /* with other processes */
	const char *reason; /* why it was left, or why no better backend; "" */
	int err; /* of a call that failed, -errno */
	bool read_only; /* a converted one: the file may not be written to */
	bool ended; /* a converted one: what follows is known, and page_size is told already */
	uint64_t huge_bytes; /* in huge pages then */
	int huge_err; /* -errno: not known, for that reason */
};

void report(const struct report_entry *e);

#endif
