/* SPDX-License-Identifier: MIT */
/*
 * A region as this process sees it: the descriptor of the backing object, the backend chosen for
 * it, and what this process has attached through it.
 *
 * Lifetime: one reference belongs to the handle table, one to each call in progress (handle_get()).
 * The last region_put() closes the descriptor. Locks: fd, size at opening, backend and geometry
 * never change after the region is published in the handle table and are read without a lock.
 * `attachments` and the counters belong to state_lock() (handle.h), which is never held across a
 * system call that may block, and is taken around fork(2).
 */
#ifndef MSHARE_REGION_H
#define MSHARE_REGION_H

#include <stdatomic.h>

#include "backend.h"

enum region_kind {
	REGION_SHMEM, /* memfd or a file on tmpfs */
	REGION_HUGETLB, /* hugetlbfs file or memfd with MFD_HUGETLB */
	REGION_FILE, /* any other regular file */
};

/* What a caller asked for, checked and with defaults filled in. */
struct region_request {
	const char *name; /* with the slash; NULL: anonymous or by descriptor */
	size_t size; /* of a new region, as asked for; 0 for an existing one */
	struct mshare_attr attr; /* every field valid */
	const struct backend_ops *forced; /* by MSHARE_BACKEND; or NULL */
	bool unlinked; /* made where name is going to be, with no name yet, or -EOPNOTSUPP */
};

struct attachment {
	struct region *region;
	struct attachment *next; /* of the same region */
	void *addr;
	size_t len; /* rounded up to the page size */
	off_t off;
	int prot;
	bool linked; /* its page tables are those of a host process */
};

struct region {
	atomic_uint refs;
	int fd;
	bool writable; /* descriptor is open for writing */
	enum region_kind kind;
	dev_t dev;
	ino_t ino;
	uint64_t size; /* of the file when it was made or opened */
	uint64_t page_size; /* what one entry maps at best */
	uint64_t alignment; /* of addresses the kernel picks */
	uint64_t grid; /* of offsets and addresses given by the caller */
	enum mshare_pages pages;
	const struct backend_ops *ops;
	uint64_t map_unit; /* lengths of mappings are multiples of this */
	uint64_t share_unit; /* tables are shared for whole, aligned ranges of this; 0: never */
	bool require_shared;
	bool noreserve; /* MSHARE_NORESERVE */
	bool huge_on_touch; /* thp: the object's mount gives huge pages when touched */
	char reason[sizeof(
		((struct mshare_stat *)0)->reason)]; /* why a better backend was passed over */
	char name[256]; /* without the slash; "" if the region has none */

	struct attachment *attachments; /* state_lock */
	struct region_lock *locks; /* state_lock; region-lock.c */
	uint64_t flushes; /* state_lock */
	atomic_bool uring_used; /* the last flush, save or load */
	atomic_bool direct_used; /* the last save or load */
	atomic_bool all_registered; /* its buffers */
	atomic_llong host_asked_at; /* sys_seconds() of the last host_ensure(); 0: never */
	atomic_int degraded; /* shim: why the last attachment is a plain one, -errno; or 0 */
	atomic_int host_error; /* why there is no helper, -errno; or 0 */
};

/* A new region by the best backend that satisfies req; 0 or -errno with a sentence. */
must_check int region_create(const struct region_request *req, struct region **out);

/* A region over fd, which it takes over on success only. */
must_check int region_adopt(int fd, const struct region_request *req, struct region **out);

void region_get(struct region *r);
void region_put(struct region *r);

/* The size now; -errno. Others may have truncated or extended the file. */
must_check int region_size_now(const struct region *r, uint64_t *size);

/* Whether attachments of all of it share tables with other processes where the kernel places them.
 */
bool region_shares_tables(const struct region *r);

/* Whether any tables of a mapping are shared: len bytes at addr, of the region from off on. */
bool region_shares_at(const struct region *r, const void *addr, off_t off, uint64_t len);

struct attach_request {
	void *addr;
	off_t off;
	size_t len;
	int prot;
	unsigned int flags;
};

must_check int region_attach(struct region *r, const struct attach_request *req, void **out);
must_check int region_detach(struct region *r, void *addr, size_t len);
must_check int region_flush(struct region *r, off_t off, uint64_t len, unsigned int flags);
must_check int region_stat(struct region *r, struct mshare_stat *st);

#endif
