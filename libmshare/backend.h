/* SPDX-License-Identifier: MIT */
/*
 * A backend is one way to map a region. Each is a const struct of operations in backend-NAME.c;
 * choose.c picks one when a region is made, and nothing asks "which backend" afterwards.
 */
#ifndef MSHARE_BACKEND_H
#define MSHARE_BACKEND_H

#include "mshare.h"
#include "util.h"

struct region;
struct region_request;
struct attachment;

struct backend_ops {
	const char *name;
	enum mshare_backend id;

	/*
	 * What this machine lets a new region have; caps->error 0 or an errno, with a reason either
	 * way.
	 */
	void (*probe)(struct mshare_backend_caps *caps);

	/*
	 * Whether the backend can give the kind of pages a request asks for ("at least require"). 0
	 * or -errno with a sentence. Looks at the request only.
	 */
	must_check int (*accepts)(const struct region_request *req);

	/*
	 * Makes the backing object of a new region: fills r->fd, r->size, r->page_size,
	 * r->alignment, r->pages.
	 */
	must_check int (*create)(struct region *r, const struct region_request *req);

	/*
	 * Takes over an existing object in r->fd (r->kind, r->size are set): fills the rest, or
	 * -EOPNOTSUPP.
	 */
	must_check int (*adopt)(struct region *r, const struct region_request *req);

	/* Called once the range is mapped: advice, helper, population. A failure unmaps it. */
	must_check int (*attached)(struct region *r, const struct attachment *a, bool populate);

	/*
	 * The descriptor to map for this protection: r->fd, or one for the caller to close. NULL:
	 * r->fd. refused: what mmap(2) of the one given before answered, -errno; 0 at first;
	 * -ESTALE: enough of that. -errno with a sentence.
	 */
	must_check int (*mapping_fd)(struct region *r, int prot, int refused);

	/* Drops all shared translations of a range; NULL: there are none. */
	must_check int (*drop_links)(struct region *r, off_t off, uint64_t len);

	/* Adds what only the backend knows; may be NULL. */
	void (*stat)(struct region *r, struct mshare_stat *st);

	bool hosts_tables; /* a host process has them and can change what all may do */
	bool shares_tables; /* for a region at least region->alignment long; see
			       region_shares_tables() */
};

extern const struct backend_ops backend_plain;
extern const struct backend_ops backend_thp;
extern const struct backend_ops backend_hugetlb;
extern const struct backend_ops backend_shim;

/*
 * What an accepts() checks: the best kind of pages the backend gives, and whether tables are
 * shared.
 */
must_check int backend_check(const struct backend_ops *ops, enum mshare_pages best,
			     const struct region_request *req);

/*
 * Allocates and maps every page of an attachment, whatever their size. 0 or -errno with a sentence.
 */
must_check int backend_populate(const struct attachment *a);

/* By name ("thp") or id; NULL if there is no such backend. */
const struct backend_ops *backend_by_name(const char *name);
const struct backend_ops *backend_by_id(enum mshare_backend id);

#endif
