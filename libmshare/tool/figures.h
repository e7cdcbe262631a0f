/* SPDX-License-Identifier: MIT */
/* What is counted about a region from outside, and how each figure is called. */
#ifndef MSHARE_FIGURES_H
#define MSHARE_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

enum figure {
	FIGURE_SIZE,
	FIGURE_USED,
	FIGURE_ATTACHERS,
	FIGURE_LINKED,
	FIGURE_ONCE,
	FIGURE_SAVED,
	FIGURE_OWN,
	FIGURE_LINKS,
	FIGURE_FAULTS,
	FIGURE_INVALIDATIONS,
	FIGURE_FLUSHES,
	FIGURE_MINOR_FAULTS,
	FIGURE_COUNT
};

#define FIGURE_UNKNOWN UINT64_MAX

struct figure_info {
	const char *key; /* in JSON, and for --sort */
	const char
		*metric; /* for Prometheus; NULL: no metric, the figure is not of a region alone */
	const char *help;
	bool counter; /* only grows while the region is in use, so it has a rate */
	bool bytes;
};

extern const struct figure_info figure_info[FIGURE_COUNT];

#endif
