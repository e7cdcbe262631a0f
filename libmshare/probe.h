/* SPDX-License-Identifier: MIT */
/* What this machine can do, found by trying it with the smallest input. Answers are cached per
 * process. */
#ifndef MSHARE_PROBE_H
#define MSHARE_PROBE_H

#include "mshare.h"
#include "util.h"

/* Where shared memory lives. Each mount has a setting of its own for huge pages. */
enum shmem_mount {
	SHMEM_MEMFD, /* the kernel's own: shmem_enabled in sysfs */
	SHMEM_NAMED, /* /dev/shm: mount option huge= */
};
#define SHMEM_MOUNTS 2

/* Touching shared memory there, advised MADV_HUGEPAGE, gives a huge page. */
bool probe_thp_fault(enum shmem_mount where);

/* The same for an object by its st_dev. False on any other mount: it cannot be tried. */
bool probe_thp_fault_on(dev_t dev);

/* MADV_COLLAPSE of touched shared memory gives a huge page. */
bool probe_thp_collapse(void);

/* Why one of the above could not be tried, -errno (they answer false then, and are tried anew next
 * time); or 0. */
must_check int probe_thp_error(void);

/* One free hugetlb page of this size can be reserved (not cached: pools change). 0 or -errno. */
must_check int probe_hugetlb(uint64_t page_size);

/* Fills everything but caps->size. 0 or -errno. */
must_check int probe_caps(struct mshare_caps *caps);

#endif
