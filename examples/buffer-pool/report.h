/* SPDX-License-Identifier: MIT */
/* What came out of a run, and how it is shown. */
#ifndef REPORT_H
#define REPORT_H

#include <mshare.h>

#include "crew.h"
#include "options.h"
#include "pool.h"

struct run {
	const char *title;
	struct mshare_stat region;
	double ready_ms; /* from nothing to a pool whose memory is all there */
	struct crew_result crew;
	struct pool_summary pool;
};

void report_plan(const struct options *options, uint64_t frames, uint64_t data_pages);

/* One column per run, and how the last compares with the first. */
void report_runs(const struct run *runs, unsigned int count);

/* Whether everything was as it must be; says on stderr what was not. */
bool report_verdict(const struct run *run, const struct options *options);

#endif
