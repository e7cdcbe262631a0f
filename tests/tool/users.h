/* SPDX-License-Identifier: MIT */
/* Regions in use: processes that have one attached, and what the command sees of it. */
#ifndef TEST_USERS_H
#define TEST_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "mshare.h"

#define MOST_USERS 8

struct users {
	pid_t pids[MOST_USERS];
	int count;
};

/* Each attaches the whole region and has read every base page of it when this returns. */
void users_come(struct users *u, mshare_t r, int count);
void users_go(struct users *u);

/*
 * The region in what top --json says, which must be there. By device and inode: not all have a
 * name, and all memfds have the same path.
 */
struct json_object *region_seen(struct json_object *census, mshare_t r);

#endif
