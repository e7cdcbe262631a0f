/* SPDX-License-Identifier: MIT */
/* The program that `mshare run` is to start: where it is, and whether it loads what we preload. */
#ifndef MSHARE_RUN_PROGRAM_H
#define MSHARE_RUN_PROGRAM_H

#include <limits.h>

#include "util.h"

struct run_program {
	char path[PATH_MAX];
	char why[PATH_MAX + 200]; /* of a failure: a sentence */
};

/*
 * Looks in PATH for a name without a slash. 0; -ENOENT: no such program; any other: it is there and
 * cannot be started, or would not be changed by a preloaded library. With a sentence.
 */
must_check int run_program_find(const char *name, struct run_program *p);

#endif
