/* SPDX-License-Identifier: MIT */
/* Attaching and detaching: checks, placement, bookkeeping. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "align.h"
#include "attachment.h"
#include "log.h"
#include "place.h"
#include "shim-parts.h"

#define KNOWN_FLAGS (MSHARE_FIXED | MSHARE_POPULATE | MSHARE_SAME_ADDR)
#define MAPPING_TRIES 3 /* a host may go, and the next as well */

static int check_words(const struct region *r, const struct attach_request *req)
{
	if (req->flags & ~KNOWN_FLAGS)
		return fail(-EINVAL, "attach: unknown flags 0x%x", req->flags & ~KNOWN_FLAGS);
	if (req->prot & ~(PROT_READ | PROT_WRITE))
		return fail(-EINVAL, "attach: prot 0x%x has more than PROT_READ and PROT_WRITE",
			    (unsigned int)req->prot);
	if (req->prot == PROT_WRITE)
		return fail(-EINVAL, "attach: PROT_WRITE needs PROT_READ as well");
	if (req->prot == PROT_NONE && (req->flags & MSHARE_POPULATE))
		return fail(-EINVAL, "attach: MSHARE_POPULATE needs at least PROT_READ");
	if (!req->addr && (req->flags & MSHARE_FIXED) && !(req->flags & MSHARE_SAME_ADDR))
		return fail(-EINVAL, "attach: MSHARE_FIXED needs an address");
	if ((req->prot & PROT_WRITE) && !r->writable)
		return fail(-EACCES, "attach: PROT_WRITE on a region opened for reading only");
	return 0;
}

static int check_place(const struct region *r, const struct attach_request *req)
{
	uint64_t grid = r->grid;
	char text[SIZE_TEXT];

	if (req->len == 0)
		return fail(-EINVAL, "attach: length is 0");
	if (req->off < 0 || !is_multiple((uint64_t)req->off, grid))
		return fail(-EINVAL, "attach: offset %lld is not a multiple of %s",
			    (long long)req->off, size_text(grid, text));
	if (r->require_shared && grid < r->alignment)
		grid = r->alignment;
	if (!is_multiple((uintptr_t)req->addr, grid))
		return fail(-EINVAL, "attach: address %p is not a multiple of %s", req->addr,
			    size_text(grid, text));
	return 0;
}

/* off + len against the size of this moment: the file may have grown or shrunk. */
static int check_range(const struct region *r, off_t off, uint64_t len)
{
	uint64_t size;
	int err = region_size_now(r, &size);

	if (err)
		return err;
	if ((uint64_t)off > size || len > size - (uint64_t)off)
		return fail(-ENXIO, "attach: offset %lld and length %llu pass the end at %llu",
			    (long long)off, (unsigned long long)len, (unsigned long long)size);
	return 0;
}

static int place_error(const struct region *r, const struct place_request *place, int err)
{
	char text[SIZE_TEXT];

	if (err == -EPERM && (place->prot & PROT_WRITE))
		return fail(err, "attach: the memfd is sealed against writing (seals 0x%x)",
			    (unsigned int)sys_seals(r->fd));
	if (err == -ENOMEM && r->kind == REGION_HUGETLB)
		return fail(err,
			    "attach: %s of huge pages cannot be reserved, or no room in the "
			    "address space",
			    size_text(place->len, text));
	if (err == -ENOMEM)
		return fail(err,
			    "attach: no room for %s in the address space (RLIMIT_AS, "
			    "vm.max_map_count)",
			    size_text(place->len, text));
	if (err == -EAGAIN)
		return fail(-ENOMEM,
			    "attach: %s cannot be locked as mlockall(MCL_FUTURE) asks: "
			    "RLIMIT_MEMLOCK",
			    size_text(place->len, text));
	return fail(err, "attach: mmap of %s failed (error %d)", size_text(place->len, text), -err);
}

/* At one address in every process, or exactly where the caller says. */
static int place_exact(const struct region *r, const struct attach_request *req,
		       const struct place_request *place, void **out)
{
	void *addr = req->addr;
	int err;

	if (!addr) {
		if ((uint64_t)req->off > PLACE_SAME_MAX || place->len > PLACE_SAME_MAX)
			return fail(-ENOMEM, "attach: region too large for MSHARE_SAME_ADDR");
		addr = (void *)(uintptr_t)(place_same_addr(r->dev, r->ino) + (uint64_t)req->off);
	}
	err = place_fixed(place, addr, out);
	if (err != -EEXIST)
		return err ? place_error(r, place, err) : 0;
	return fail(req->flags & MSHARE_SAME_ADDR ? -EADDRINUSE : -EEXIST,
		    "attach: something is mapped between %p and %p already", addr,
		    (void *)((uintptr_t)addr + place->len));
}

static int place_hinted(const struct region *r, const struct attach_request *req,
			const struct place_request *place, void **out)
{
	int err = req->addr ? place_fixed(place, req->addr, out) : -EEXIST;

	if (err) /* only a hint: anywhere else is as good */
		err = place_anywhere(place, out);
	return err ? place_error(r, place, err) : 0;
}

static int place(struct region *r, const struct attach_request *req, int fd, struct attachment *a)
{
	const struct place_request request = {
		.len = a->len,
		.align = r->alignment,
		.prot = req->prot,
		.fd = fd,
		.off = req->off,
	};

	if (req->flags & (MSHARE_FIXED | MSHARE_SAME_ADDR))
		return place_exact(r, req, &request, &a->addr);
	return place_hinted(r, req, &request, &a->addr);
}

/* With the descriptor that the backend offers, and the next one while it has another. */
static int place_by_backend(struct region *r, const struct attach_request *req,
			    struct attachment *a)
{
	int err = 0;

	for (int tries = 0;; tries++) {
		int fd = r->ops->mapping_fd(r, req->prot, tries < MAPPING_TRIES ? err : -ESTALE);

		if (fd < 0)
			return fd;
		err = place(r, req, fd, a);
		a->linked = fd != r->fd;
		if (!a->linked)
			return err;
		sys_close(fd);
		if (!err)
			return 0;
	}
}

/*
 * A mapping of the region's own object shows what attached processes see only if all of it is of
 * that.
 */
static int check_whole(const struct region *r)
{
	int parts = shim_parts(r);

	return parts ? shim_parts_error(parts, "attach") : 0;
}

static int map(struct region *r, const struct attach_request *req, struct attachment *a)
{
	int err = r->ops->mapping_fd ? place_by_backend(r, req, a) : place(r, req, r->fd, a);

	if (err)
		return err;
	err = a->linked ? 0 : check_whole(r);
	if (!err)
		err = r->ops->attached(r, a, req->flags & MSHARE_POPULATE);
	if (!err && attachment_add(a))
		err = fail(-ENOMEM, "attach: no memory for bookkeeping");
	if (err)
		sys_munmap(a->addr, a->len);
	return err;
}

int region_attach(struct region *r, const struct attach_request *req, void **out)
{
	struct attachment *a;
	uint64_t len;
	int err = check_words(r, req);

	if (!err)
		err = check_place(r, req);
	if (!err)
		err = check_range(r, req->off, req->len);
	if (err)
		return err;
	err = align_up(req->len, r->map_unit, &len);
	if (err)
		return fail(err, "attach: length %zu is too large", req->len);
	a = calloc(1, sizeof(*a));
	if (!a)
		return fail(-ENOMEM, "attach: no memory for bookkeeping");
	*a = (struct attachment){ .region = r, .len = len, .off = req->off, .prot = req->prot };
	err = map(r, req, a);
	if (err) {
		free(a);
		return err;
	}
	*out = a->addr;
	return 0;
}

int region_detach(struct region *r, void *addr, size_t len)
{
	uint64_t whole;
	struct attachment *a = NULL;
	int err;

	if (!align_up(len, r->map_unit, &whole))
		a = attachment_take(r, addr, whole);
	if (!a)
		return fail(-EINVAL,
			    "detach: %p and length %zu are not one whole attachment of "
			    "this region",
			    addr, len);
	/*
	 * Fails only when neighbouring mappings had merged and may not be split any more: then it
	 * is still attached.
	 */
	err = sys_munmap(addr, whole);
	if (err) {
		if (attachment_add(a))
			free(a);
		return fail(err, "detach: munmap of %p failed (error %d)", addr, -err);
	}
	place_freed(addr, whole);
	free(a);
	return 0;
}
