/* SPDX-License-Identifier: MIT */
/* What the command line asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
	size_t size; /* of the pool, bytes */
	unsigned int workers;
	double seconds; /* 0: `requests` counts */
	uint64_t requests; /* of each worker */
	unsigned int kills;
	const char *directory; /* for the data file */
	bool compare; /* run with base pages first */
};

/* Ends the program with a line on stderr when they make no sense, and after --help. */
struct options options_from(int argc, char **argv);

#endif
