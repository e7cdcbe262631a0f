/* SPDX-License-Identifier: MIT */
/*
 * mshare doctor. doctor.c gathers, trial.c finds out what AUTO takes by making regions, advice.c
 * knows the commands that would make it better, doctor-report.c prints.
 */
#ifndef MSHARE_DOCTOR_H
#define MSHARE_DOCTOR_H

#include "mshare.h"
#include "util.h"

/* What became of a region made with no wishes at all. */
struct trial {
	const char *region; /* "anonymous", "named", "file" */
	bool made;
	uint32_t backend;
	uint64_t page_size;
	char why[320]; /* why nothing better was taken; not made: why not */
};
#define TRIAL_COUNT 3

/* A command that would give this machine more. */
struct advice {
	const char *topic; /* a backend's name, or what else gets better */
	const char *effect;
	char command[320];
	bool outside; /* refused in this container: for the machine it runs on */
};
#define ADVICE_MOST 8

struct diagnosis {
	struct mshare_caps caps;
	struct trial trials[TRIAL_COUNT];
	struct advice advice[ADVICE_MOST];
	size_t advice_count;
};

void trial_run(struct trial trials[TRIAL_COUNT], uint64_t size);

/* Fills d->advice from d->caps and the machine. */
void advice_find(struct diagnosis *d);

bool doctor_better_than_plain(const struct diagnosis *d);
void doctor_print_text(const struct diagnosis *d);
void doctor_print_json(const struct diagnosis *d);

#endif
