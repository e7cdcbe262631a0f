/* SPDX-License-Identifier: MIT */
/*
 * Backing objects and their names. A name lives in /dev/shm, where shm_open(3) finds it too, or,
 * for hugetlb pages, in a hugetlbfs mount that this process may write to.
 */
#ifndef MSHARE_BACKING_H
#define MSHARE_BACKING_H

#include "region.h"

#define BACKING_SHM_DIR "/dev/shm"

/* "/pgbuf": one slash, in front; not "/." or "/..". 0, -EINVAL or -ENAMETOOLONG. */
must_check int backing_check_name(const char *name);

/* A new, complete object of `size` bytes on tmpfs: named, or a memfd when req->name is NULL.
 * Descriptor or -errno. */
must_check int backing_create_shmem(const struct region_request *req, uint64_t size);

/* The same with hugetlb pages of page_size, all of them reserved. -ENOMEM: the pool is too small.
 */
must_check int backing_create_hugetlb(const struct region_request *req, uint64_t size,
				      uint64_t page_size);

/* An existing object by name. Descriptor or -errno. */
must_check int backing_open(const char *name, int oflag);
must_check int backing_unlink(const char *name);

/* What the object behind fd is: fills kind, size, dev, ino, writable and, for hugetlb, page_size. 0
 * or -errno. */
must_check int backing_inspect(int fd, struct region *r);

/* The hugetlbfs mount with pages of this size; 0, -ENOENT, or -ENAMETOOLONG. page_size 0: the
 * index-th of any size. */
must_check int backing_hugetlb_dir(uint64_t page_size, unsigned int index, char *dir,
				   size_t dir_size);

#endif
