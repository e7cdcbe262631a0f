/* SPDX-License-Identifier: MIT */
/* The three ways into write-back, by the names the build gives to the tests. */
#ifndef TEST_FLUSH_TWINS_H
#define TEST_FLUSH_TWINS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct twin {
	const char *name;
	int (*flush)(int fd, off_t off, uint64_t len);
};

/* "uring", "sync" or "data". Exits with 77 and a reason if io_uring may not be used here. */
const struct twin *twin_by_name(const char *name);

#endif
