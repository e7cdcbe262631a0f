/* SPDX-License-Identifier: MIT */
/*
 * Handles: tickets {generation, slot} into one table, so that a closed, foreign or NULL handle is
 * found out without touching memory it might point to.
 *
 * state_lock() is the one lock of the library. It guards the table and the bookkeeping of regions,
 * is held for a few instructions only, and is taken and released around fork(2), so that a child
 * never inherits it locked.
 */
#ifndef MSHARE_HANDLE_H
#define MSHARE_HANDLE_H

#include "mshare.h"
#include "util.h"

struct region;

void state_lock(void);
void state_unlock(void);

/* A number that differs between a process and the children it forks. */
unsigned long state_process(void);

/* Publishes a region, taking over the caller's reference on success. 0, -ENOMEM or -EMFILE. */
must_check int handle_new(struct region *r, mshare_t *out);

/* The region with a reference for the caller; NULL if the handle is not open. */
must_check struct region *handle_get(mshare_t h);

/* Ends the handle and gives its reference to the caller; NULL if it is not open. */
must_check struct region *handle_take(mshare_t h);

#endif
