/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed at any moment: one that does what is tested, one that only attaches and
 * detaches the region all the time, and where there are hosts, those.
 */
#ifndef TEST_STORM_H
#define TEST_STORM_H

#include <stdint.h>

#include "child.h"
#include "mshare.h"

struct actor {
	mshare_t region;
	unsigned char *bytes;
	uint64_t version; /* of the first file that it makes */
	struct signpost begun;
};

/* Microseconds that two of these calls take here, whatever the machine and what else it does. */
unsigned int storm_span(void (*call)(const struct actor *actor), const struct actor *actor);

/*
 * Starts body(actor), which raises actor->begun, and kills it before `span` is over; the others
 * too, or not.
 */
void storm_once(child_body *body, struct actor *actor, unsigned int span);

#endif
