/* SPDX-License-Identifier: MIT */
/*
 * The usual scene: a file, its host, and this process attached and with known data in it. What a
 * test does to its own attachment, in a child, must not show here.
 */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include "object.h"
#include "view.h"

struct scene {
	int fd;
	size_t size;
	struct host host;
	char *at;
	bool huge; /* some pages may be huge, which need no table */
};

#define SCENE_SALT 77

struct scene scene_make(size_t size);
/* Of a given file. */
struct scene scene_make_of(int fd, size_t size);
/* Nothing has changed: the data is right here and in the file, and so are the tables. */
void scene_unharmed(const struct scene *s);
/* scene_unharmed(), then all leave; nothing is linked any more. */
void scene_end(struct scene *s);

/*
 * Makes a scene, attaches in another process, acts there on that attachment, and ends the scene:
 * the data is right there as well. linked: it has been read before the act.
 */
typedef void scene_act(const struct scene *s, char *at);
void scene_apart(size_t size, scene_act *act, bool linked);

/* For child_start(), with the scene: reads and writes its data until it is killed. */
void scene_verify_on_and_on(void *scene);

/*
 * For the end of a test: no view is left in debugfs, whoever was killed. Views go soon, not at
 * once.
 */
int scene_check_no_views(void **state);

#endif
