/* SPDX-License-Identifier: MIT */
/* How fast counters grow: against an earlier census. */
#include <unistd.h>

#include "census.h"

/* A counter that went back belongs to another helper than before: nothing can be said. */
static double rate(const struct census *c, uint64_t before, uint64_t value)
{
	if (before == FIGURE_UNKNOWN || value == FIGURE_UNKNOWN || value < before)
		return -1;
	return (double)(value - before) / c->since;
}

/* What a process that was not there has had since: nothing is known of one that only came late. */
static uint64_t of_newcomer(const struct census *before, const struct attacher *a)
{
	bool is_new = (double)a->started / (double)sysconf(_SC_CLK_TCK) >= before->clock;

	return is_new ? a->minor_faults : 0;
}

/* Of processes that are there now; what the others had is gone with them. Lists are by pid. */
static uint64_t faults_since(const struct census *before, const struct census_region *old,
			     const struct census_region *r)
{
	uint64_t sum = 0;
	size_t o = 0;

	for (size_t i = 0; i < r->attacher_count; i++) {
		const struct attacher *a = &r->attachers[i];

		while (o < old->attacher_count && old->attachers[o].pid < a->pid)
			o++;
		if (o < old->attacher_count && old->attachers[o].pid == a->pid &&
		    old->attachers[o].started == a->started)
			sum += a->minor_faults - old->attachers[o].minor_faults;
		else
			sum += of_newcomer(before, a);
	}
	return sum;
}

static const struct census_region *find(const struct census *c, const struct census_region *r)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].ino == r->ino && c->list[i].dev == r->dev)
			return &c->list[i];
	}
	return NULL;
}

void census_rates(struct census *c, const struct census *before)
{
	c->since = c->clock - before->clock;
	for (size_t i = 0; c->since > 0 && i < c->count; i++) {
		struct census_region *r = &c->list[i];
		const struct census_region *old = find(before, r);

		for (int f = 0; old && f < FIGURE_COUNT; f++) {
			if (figure_info[f].counter)
				r->rates[f] = rate(c, old->figures[f], r->figures[f]);
		}
		if (old && r->figures[FIGURE_MINOR_FAULTS] != FIGURE_UNKNOWN)
			r->rates[FIGURE_MINOR_FAULTS] =
				(double)faults_since(before, old, r) / c->since;
	}
}
