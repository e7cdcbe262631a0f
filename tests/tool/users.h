/* SPDX-License-Identifier: MIT */
/* Processes that have a region attached, until they are told to go. */
#ifndef TEST_USERS_H
#define TEST_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include "mshare.h"

#define MOST_USERS 8

struct users {
	pid_t pids[MOST_USERS];
	int count;
};

/* Each attaches the whole region and has read every base page of it when this returns. */
void users_come(struct users *u, mshare_t r, int count);
void users_go(struct users *u);

#endif
