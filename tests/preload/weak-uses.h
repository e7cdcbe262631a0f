/* SPDX-License-Identifier: MIT */
/* What the program of test-weak does where something is short: under `mshare run`. */
#ifndef TEST_WEAK_USES_H
#define TEST_WEAK_USES_H

#include <stdbool.h>
#include <stddef.h>

/* More than any pool of huge pages, by far; of it little is touched. */
#define BIG ((size_t)256 << 30)

/* Whether this process was started for a use, which is over now. */
bool weak_use(int argc, char **argv);

#endif
