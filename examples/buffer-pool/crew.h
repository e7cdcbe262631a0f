/* SPDX-License-Identifier: MIT */
/* The workers: processes that read random rows through the pool, some of which get killed. */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

struct crew_plan {
	struct pool *pool;
	int data_fd;
	uint64_t data_pages;
	unsigned int workers;
	double seconds; /* how long to work; 0: until `requests` are done */
	uint64_t requests; /* of each worker */
	unsigned int
		kills; /* the first with a lock held in mid-eviction, the others at any point */
};

struct crew_result {
	double seconds; /* until the workers were told to stop, or were done */
	double cpu_seconds; /* of all workers, the killed ones too: other load does not count */
	uint64_t timely; /* requests in `seconds` */
	uint64_t requests; /* with those finished after the word to stop */
	uint64_t misses;
	uint64_t wrong; /* rows that were not what was asked for */
	double table_kb; /* page tables of the pool in one worker, kB: mean of those never killed */
	double faults; /* page faults of one worker, the same way */
	unsigned int killed; /* and replaced */
	unsigned int failed; /* workers that ended by themselves, with an error */
};

/* Runs the workers to the end. False and a line on stderr if that was not possible. */
bool crew_run(const struct crew_plan *plan, struct crew_result *result);

#endif
