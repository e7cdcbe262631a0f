/* SPDX-License-Identifier: MIT */
/* Output for people: colours where they belong, sizes rounded, a bar of progress. */
#ifndef MSHARE_TERM_H
#define MSHARE_TERM_H

#include "util.h"

enum term_style { TERM_BOLD, TERM_DIM, TERM_GOOD, TERM_BAD, TERM_STYLES };

/* Starts and ends a style on stdout: "" unless stdout is a terminal that wants colours. */
const char *term_on(enum term_style style);
const char *term_off(void);

/* "23.5 GiB", "512 B"; buf holds at least TERM_SIZE_TEXT bytes. Returns buf. */
#define TERM_SIZE_TEXT 24
const char *term_size(uint64_t bytes, char *buf);

/* A bar on stderr if that is a terminal; else nothing. */
struct progress {
	unsigned int done;
	unsigned int total;
	bool shown;
};
void progress_start(struct progress *p, unsigned int total);
void progress_step(struct progress *p, const char *what);
void progress_reach(struct progress *p, unsigned int done, const char *what);
void progress_skip(struct progress *p, unsigned int steps);
void progress_end(struct progress *p); /* removes the bar; harmless when repeated */

#endif
