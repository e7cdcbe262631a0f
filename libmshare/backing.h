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

/*
 * A new, complete object on tmpfs of req->size bytes, rounded up as req->attr.align says: named, or
 * a memfd when req->name is NULL. Fills r->fd and r->size. 0 or -errno with a sentence.
 */
must_check int backing_create_shmem(struct region *r, const struct region_request *req);

/*
 * The same with hugetlb pages of page_size, all of them reserved; size is a multiple of it. No
 * sentence, the caller knows more: -ENOMEM the pool or a limit is too small; -EINVAL, -ENOSYS no
 * such pages; -ENOENT no mount to make the name in.
 */
must_check int backing_create_hugetlb(struct region *r, const struct region_request *req,
				      uint64_t size, uint64_t page_size);

/* A memfd of this size that can be sealed, or -errno. */
must_check int backing_memfd(uint64_t size);

/* A sentence for a failed creation; returns err. */
must_check int backing_create_error(int err, const struct region_request *req);

/* Reserves [0, size) of a hugetlb object in its pool; the reservation stays with the object. 0 or
 * -errno. */
must_check int backing_reserve(int fd, uint64_t size);

/* memfd flags for hugetlb pages of this size. */
unsigned int backing_hugetlb_flags(uint64_t page_size);

/* An existing object by name. Descriptor or -errno with a sentence. */
must_check int backing_open(const char *name, int oflag);
must_check int backing_unlink(const char *name);

/*
 * What the object behind fd is: fills kind, size, dev, ino, writable and, for hugetlb, page_size. 0
 * or -errno with a sentence.
 */
must_check int backing_inspect(int fd, struct region *r);

/* Files of both kinds: makes `dir``name` of size bytes appear complete. reserve: hugetlb.
 * Descriptor or -errno. */
must_check int backing_make_file(const char *dir, const struct region_request *req, uint64_t size,
				 bool reserve);

/*
 * The index-th hugetlbfs mount, of pages of page_size, or of any with page_size 0. 0; -ENOENT: no
 * more; -ENOMEM, -EMFILE, -ENFILE: no means to find out. dir holds at least PATH_MAX bytes.
 */
must_check int backing_hugetlb_dir(uint64_t page_size, unsigned int index, char *dir);

#endif
