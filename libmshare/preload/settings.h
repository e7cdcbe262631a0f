/* SPDX-License-Identifier: MIT */
/*
 * What `mshare run` asks for, handed over in the environment so that programs which the program
 * starts do the same.
 */
#ifndef MSHARE_PRELOAD_SETTINGS_H
#define MSHARE_PRELOAD_SETTINGS_H

#include "mshare.h"
#include "util.h"

/* The variables' names, for the command too. */
#define RUN_MIN_SIZE "MSHARE_RUN_MIN_SIZE" /* bytes */
#define RUN_BACKEND "MSHARE_RUN_BACKEND" /* the best to use; weaker ones where it cannot be had */
#define RUN_REQUIRE "MSHARE_RUN_REQUIRE" /* 1: shared page tables or nothing */
#define RUN_POPULATE "MSHARE_RUN_POPULATE" /* 1: allocate everything at once */
#define RUN_REPORT "MSHARE_RUN_REPORT" /* absolute path of a file that exists */
#define RUN_REPORT_JSON "MSHARE_RUN_REPORT_JSON" /* 1: a JSON object a line */

#define RUN_DEFAULT_MIN_SIZE (8 * MIB)

struct settings {
	size_t min_size; /* smaller mappings are none of our business */
	enum mshare_backend backend; /* NONE: the best there is */
	bool backend_unknown; /* another one was asked for, which there is not */
	bool require_shared;
	bool populate;
	bool json;
	const char *report; /* or NULL */
	char program[64]; /* its name, or the beginning of it */
};

/* Until settings_read() has run, min_size is beyond any mapping. Constant afterwards. */
extern struct settings settings;

void settings_read(void);

#endif
