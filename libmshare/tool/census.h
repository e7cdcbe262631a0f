/* SPDX-License-Identifier: MIT */
/*
 * The regions of this machine and who uses them, as seen from outside: names in /dev/shm and
 * hugetlbfs, mappings of all processes we may look at, locks by which users and helpers announce
 * themselves, and what the kernel module counts. Attaches to nothing.
 */
#ifndef MSHARE_CENSUS_H
#define MSHARE_CENSUS_H

#include <limits.h>

#include "figures.h"
#include "mapping.h"
#include "objects.h"
#include "util.h"

/* One process that has the region attached. */
struct attacher {
	pid_t pid;
	uint64_t started; /* tells it from a later process with its number */
	uint64_t minor_faults;
};

enum memory { MEMORY_UNKNOWN, MEMORY_SHMEM, MEMORY_HUGETLB, MEMORY_FILE };

struct census_region {
	dev_t dev; /* as in /proc/PID/maps */
	ino_t ino;
	char *name; /* "/pgbuf"; NULL: it has none, or none any more */
	char *path; /* of the object, or as /proc/PID/maps has it; NULL: not known */
	enum memory memory;
	bool announced; /* a process holds the lock of users */
	bool host; /* a helper serves it */
	bool linked; /* a process has it attached through the kernel module */
	bool huge; /* parts are mapped by huge pages */
	bool unmeasured; /* page tables of some attacher were not looked at */
	uint64_t figures[FIGURE_COUNT]; /* or FIGURE_UNKNOWN */
	double rates[FIGURE_COUNT]; /* of counters, each second; negative: not known */
	char command[32]; /* of the attacher with the lowest pid, by which people know it */
	struct attacher *attachers; /* by pid */
	size_t attacher_count;

	/* While a census is being taken. */
	pid_t seen_in; /* the process that was found to map it last */
	bool seen_linked;
	bool seen_plain;
	pid_t witness; /* a process that may have it open: first of all its helper */
	uintptr_t map_start, map_end; /* an ordinary mapping, */
	pid_t map_pid; /* of this process; 0: none */
	uint64_t huge_bytes; /* mapped by huge pages, in all processes */
};

struct census {
	struct census_region *list; /* by path */
	size_t count;
	size_t processes; /* that were looked at */
	size_t unread; /* that may not be looked at: others' */
	size_t unread_dirs; /* directories of named regions that cannot be read */
	int module; /* 0: it is there; -errno why it tells nothing, -ENOSYS: not loaded */
	double time; /* seconds since 1970 */
	double clock; /* seconds since the machine came up, as processes count it */
	double since; /* seconds since the census that rates are against; negative: none */

	/* While it is being taken. */
	bool thorough; /* page tables of any size are looked at */
	uint64_t budget; /* bytes of page tables that may still be looked at */
	char **mounts; /* of hugetlbfs */
	size_t mount_count;
};

/*
 * Takes one. before: an earlier one, for rates, or NULL. thorough: have the kernel walk page tables
 * of any size (smaps), which takes their processes' time. 0 or -ENOMEM; census_free() also then.
 */
must_check int census_take(struct census *c, const struct census *before, bool thorough);
void census_free(struct census *c);

/* The backend by what is seen; NULL: nobody has it attached. */
const char *census_backend(const struct census_region *r);

/* "shmem", "hugetlb", "file"; NULL: not known. */
const char *census_memory(const struct census_region *r);

/* The region with this identity; with add, made if there is none. NULL: none, or no memory. */
struct census_region *census_region(struct census *c, dev_t dev, ino_t ino, bool add);

/* The parts of it. 0 or -ENOMEM. */
must_check int census_processes(struct census *c); /* census-processes.c */
void census_locks(struct census *c); /* census-locks.c */
void census_files(struct census *c); /* census-files.c */
must_check int census_views(struct census *c); /* census-views.c */
void census_rates(struct census *c, const struct census *before); /* census-rates.c */

/* Huge pages that this process maps, added to the regions it is seen in. census-huge.c */
void census_huge(struct census *c, pid_t pid);

/* Opens what a process has open or mapped: -errno. */
must_check int census_open(const struct census_region *r, int flags);

#endif
