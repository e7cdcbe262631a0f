/* SPDX-License-Identifier: MIT */
/* mshare top: what its parts share. */
#ifndef MSHARE_TOP_H
#define MSHARE_TOP_H

#include <stdio.h>

#include "census.h"
#include "tool.h"

#define DELAY_LEAST 0.1
#define DELAY_MOST 86400.0

struct top {
	const struct command *command;
	double delay; /* seconds */
	uint64_t batch; /* tables to print; 0: live */
	unsigned int sort; /* a column of top-table.c */
	bool reverse;
	bool thorough;
	bool json;
};

/* What keys do, for both helps. */
#define TOP_KEYS                                                                                   \
	"  q         quit                     d       another delay\n"                             \
	"  < >       sort by another column   r       reverse the order\n"                         \
	"  t         --tables on, off         space   now\n"                                       \
	"  up, down  scroll                   h       this list\n"

/* The column called `key`, or -1; names of all of them, ending with NULL. */
int top_column(const char *key);
const char *const *top_column_names(void);
size_t top_column_count(void);

/* Whether the table has this column where lines are so wide (0: of any length). */
bool top_column_shown(unsigned int column, int width);

/* Puts the regions in the order that is asked for. */
void top_sort(const struct top *t, struct census *c);

/* Lines above the table; the heading; a line for a region. None ends its line. */
#define TOP_SUMMARY_LINES 3
void top_print_summary(FILE *out, const struct top *t, const struct census *c, unsigned int line);
void top_print_heading(FILE *out, const struct top *t, int width);
void top_print_region(FILE *out, const struct census *c, const struct census_region *r, int width);

/* Until somebody ends it. Exit status. */
must_check int top_live(struct top *t);

#endif
