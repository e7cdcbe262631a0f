/* SPDX-License-Identifier: MIT */
/* The named objects of this machine: everything in /dev/shm and in the hugetlbfs mounts. */
#ifndef MSHARE_OBJECTS_H
#define MSHARE_OBJECTS_H

#include <limits.h>

#include "util.h"

enum known { KNOWN_NO, KNOWN_YES, KNOWN_NOT }; /* KNOWN_NOT: could not be found out */

struct object {
	char *dir;
	char *name; /* with the leading slash */
	struct stat file;
	bool hugetlb;
	bool opened; /* we have the right to open it */
	enum known in_use; /* some process has it attached through the library */
	enum known host; /* an mshare-host serves it */
};

struct objects {
	struct object *list;
	size_t count;
	size_t unread; /* directories that exist and could not be read */
};

/* All of them, sorted by name. 0 or -ENOMEM. objects_free() also after a failure. */
must_check int objects_find(struct objects *all);
void objects_free(struct objects *all);

#endif
