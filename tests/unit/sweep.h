/* SPDX-License-Identifier: MIT */
/*
 * Runs one call of the library again and again, each time in a fresh process on a fresh machine,
 * with the first, second, third... system call failing in each way it can, until the call makes no
 * more. Every time: the errno is a documented one, there is a sentence, errno is left alone on
 * success, and nothing is left behind that was not there before.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "fake.h"
#include "mshare.h"

struct scenario {
	const char *name;
	struct fake_machine machine;
	void (*prepare)(void); /* before, without faults; NULL: nothing */
	int (*act)(void); /* the call: 0, or -1 with errno */
	void (*undo)(void); /* after success, without faults; NULL: nothing */
	void (*check)(int err); /* after both, err 0 or the call's errno; NULL: nothing more */
	const int *documented; /* errno values of the manual, ends with 0 */
	bool cleanup_fails; /* unmapping and unlinking fail too: for calls that are about that */
	unsigned int least_steps; /* a sweep of fewer calls is no sweep */
};

/* A CMocka test; *state is a const struct scenario. */
void sweep(void **state);

/* Without faults, in a process of its own: `run` must return. */
void in_fresh_process(const struct fake_machine *machine, void (*run)(void *arg), void *arg);

#endif
