/* SPDX-License-Identifier: MIT */
/*
 * Processes that spin on a page while it is changed, and take nothing for right but what is there
 * once the call that changed it has returned.
 */
#ifndef TEST_SPIN_H
#define TEST_SPIN_H

#include "scene.h"

/* How many steps; more find more. */
extern unsigned int spin_rounds;

/* What there is to see at the page: the state, zero, SIGBUS. */
enum sight { VALUE, ZERO, NOTHING };

struct change {
	const struct scene *scene;
	char *plain; /* an ordinary mapping, to write with */
	size_t off;
	enum sight sight; /* afterwards */
};
typedef void change_file(const struct change *c, uint64_t state);

struct step {
	change_file *change;
	enum sight sight;
};

/* Goes through the steps round and round. Afterwards the data is as in the scene. */
void spin_through(struct scene *s, const struct step *steps, size_t count);

#endif
