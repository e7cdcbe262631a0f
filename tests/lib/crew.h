/* SPDX-License-Identifier: MIT */
/*
 * Processes that have a region attached, by handles of their own, and touch it when they are told:
 * what happens to them is what happens to any attached process.
 */
#ifndef TEST_CREW_H
#define TEST_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mshare.h"

#define CREW_MAX 64

struct crew_board;

struct crew {
	struct crew_board *board;
	pid_t pids[CREW_MAX];
	int size;
};

/* The signal that an access to a byte raises, or 0. A write leaves what is there. */
int access_signal(void *at, bool write);

/* They attach all of r with this protection. */
struct crew crew_start(mshare_t r, int size, int prot);

/* Everybody touches the byte at off; checks that each gets this signal, 0: none. */
void crew_touch(const struct crew *crew, size_t off, bool write, int signal);

/* The same where the signal is not known: all must get the same one, which it returns. */
int crew_signal(const struct crew *crew, size_t off, bool write);

/* They leave by themselves; or are killed, wherever they are. */
void crew_end(struct crew *crew);
void crew_kill(struct crew *crew);

#endif
