/* SPDX-License-Identifier: MIT */
/* One worker, and the board on which it reports while it works, so that a death loses nothing. */
#ifndef WORKER_H
#define WORKER_H

#include <stdatomic.h>

#include "crew.h"
#include "pool.h"

struct worker_report {
	_Alignas(64) _Atomic uint64_t requests;
	_Atomic uint64_t misses;
	_Atomic uint64_t wrong;
	uint64_t table_kb; /* these two once, at the end */
	uint64_t faults;
};

/* A region of its own: written by all workers, read by the one who started them. */
struct board {
	atomic_bool stop;
	struct worker_report reports[POOL_USERS_MAX];
};

/* The whole life of a worker process. Returns its exit status. */
int worker_run(const struct crew_plan *plan, struct board *board, unsigned int id, bool doomed);

#endif
