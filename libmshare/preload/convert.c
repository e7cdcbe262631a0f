/* SPDX-License-Identifier: MIT */
#include "convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "align.h"
#include "attachment.h"
#include "guard.h"
#include "log.h"
#include "memlimit.h"
#include "options.h"
#include "region.h"
#include "report.h"
#include "room.h"
#include "settings.h"
#include "tracked.h"

/* What we know how to keep; a call with any other bit is the kernel's. */
#define KNOWN_FLAGS                                                                                \
	(MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE |              \
	 MAP_POPULATE | MAP_NONBLOCK | MAP_LOCKED | MAP_STACK)

/* What the steps of one conversion pass on. */
struct conversion {
	const struct map_call *call;
	struct region *region; /* owned */
	void *addr;
	uint64_t mapped; /* bytes, with the tail */
	bool linked;
	bool too_big; /* to be populated in its control group */
	bool tables_only; /* what huge pages alone would do is done elsewhere */
	char reason[256]; /* why it stays with the kernel, or gets no better backend */
};

bool convert_concerns(const struct map_call *call)
{
	int type = call->flags & MAP_TYPE;

	return call->len >= settings.min_size &&
	       (type == MAP_SHARED || type == MAP_SHARED_VALIDATE);
}

static bool is_anonymous(const struct map_call *call)
{
	return call->flags & MAP_ANONYMOUS;
}

static bool wants_exactly(const struct map_call *call)
{
	return call->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

/* -EOPNOTSUPP: stays with the kernel, and why. */
static int pass(struct conversion *c, const char *reason)
{
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
	return -EOPNOTSUPP;
}

/* By what the call says, before anything is done. */
static int check_call(struct conversion *c)
{
	const struct map_call *call = c->call;
	uint64_t grid = page_sizes()->pmd;

	if (call->flags & MAP_HUGETLB)
		return pass(c, "the program asks for huge pages itself");
	if (call->flags & ~KNOWN_FLAGS)
		return pass(c, "mmap flags that only the kernel can serve");
	if (call->prot != PROT_NONE && call->prot != PROT_READ &&
	    call->prot != (PROT_READ | PROT_WRITE))
		return pass(c, "a protection other than none, read, or read and write");
	if (!is_multiple((uintptr_t)call->addr, grid))
		return pass(c,
			    "the program's address is not a multiple of what one huge page covers");
	if (!is_anonymous(call) && !is_multiple((uint64_t)call->off, grid))
		return pass(c, "the offset is not a multiple of what one huge page covers");
	if (guard_in_handler())
		return pass(c, "mapped in a signal handler");
	return 0;
}

static int make_request(const struct conversion *c, struct region_request *req)
{
	static const enum mshare_pages best[MSHARE_BACKEND_COUNT] = {
		[MSHARE_BACKEND_NONE] = MSHARE_PAGES_AUTO,
		[MSHARE_BACKEND_SHIM] = MSHARE_PAGES_BASE,
		[MSHARE_BACKEND_THP] = MSHARE_PAGES_THP,
		[MSHARE_BACKEND_HUGETLB] = MSHARE_PAGES_PMD,
	};
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	*req = (struct region_request){ .size = is_anonymous(c->call) ? c->call->len : 0 };
	if (settings.backend == MSHARE_BACKEND_PLAIN)
		req->forced = &backend_plain;
	attr.prefer = c->tables_only ? MSHARE_PAGES_BASE : best[settings.backend];
	if (settings.require_shared)
		attr.flags |= MSHARE_REQUIRE_SHARED_TABLES;
	return options_attr(&attr, &req->attr);
}

/*
 * The region of an existing file lives on the program's own descriptor: closing a second one would
 * release the locks that the process holds on the file (fcntl(2)).
 */
static int find_region(struct conversion *c)
{
	struct region_request req;
	int err = make_request(c, &req);

	if (!err && is_anonymous(c->call))
		err = region_create(&req, &c->region);
	else if (!err)
		err = region_adopt(c->call->fd, &req, &c->region);
	return err ? pass(c, fail_reason()) : 0;
}

static void drop_region(struct conversion *c)
{
	if (!c->region)
		return;
	if (!is_anonymous(c->call))
		c->region->fd = -1;
	region_put(c->region);
	c->region = NULL;
}

/* Exactly there, the mapping must not be longer than what the program makes room for. */
static int check_region(struct conversion *c)
{
	const struct region *r = c->region;

	if (r->ops == &backend_plain)
		return pass(c, r->reason);
	if (is_anonymous(c->call) && (c->call->flags & MAP_LOCKED) && r->ops == &backend_shim)
		return pass(c, "the pages of shared tables cannot be locked");
	if (wants_exactly(c->call) && !is_multiple(c->call->len, r->map_unit))
		return pass(c, "the length at a fixed address is not a multiple of the page size");
	if (!is_multiple((uintptr_t)c->call->addr, r->grid) ||
	    (!is_anonymous(c->call) && !is_multiple((uint64_t)c->call->off, r->grid)))
		return pass(c, "address or offset is not a multiple of the page size");
	return 0;
}

/* What the program asks for is done; what only --populate asks for may not end it. */
static bool wants_population(struct conversion *c)
{
	if (c->call->prot == PROT_NONE)
		return false;
	if ((c->call->flags & MAP_POPULATE) && !(c->call->flags & MAP_NONBLOCK))
		return true;
	if (!settings.populate)
		return false;
	c->too_big = memlimit_left() < c->call->len;
	return !c->too_big;
}

/* Something that gives way in the same step as the mapping comes. */
static int attach_over(struct conversion *c, bool populate)
{
	struct region *r = c->region;
	struct attachment a = { .region = r,
				.addr = c->call->addr,
				.len = c->call->len,
				.off = c->call->off,
				.prot = c->call->prot };
	struct map_call call = { a.addr, a.len, a.prot, MAP_SHARED | MAP_FIXED, r->fd, a.off };
	int err = tracked_vacate(a.addr, a.len);

	if (is_anonymous(c->call))
		a.off = call.off = 0;
	if (!err && r->ops->mapping_fd)
		call.fd = r->ops->mapping_fd(r, a.prot, 0);
	if (!err && call.fd < 0)
		err = call.fd;
	if (!err)
		err = raw_mmap(&call, &c->addr);
	a.linked = call.fd != r->fd;
	if (a.linked && call.fd >= 0)
		sys_close(call.fd);
	if (!err)
		err = r->ops->attached(r, &a, populate);
	c->linked = a.linked;
	return err;
}

static int attach_free(struct conversion *c, bool populate)
{
	const struct attach_request req = {
		.addr = c->call->addr,
		.off = is_anonymous(c->call) ? 0 : c->call->off,
		.len = c->call->len,
		.prot = c->call->prot,
		.flags = (populate ? MSHARE_POPULATE : 0u) |
			 (c->call->flags & MAP_FIXED_NOREPLACE ? MSHARE_FIXED : 0u),
	};
	int err = region_attach(c->region, &req, &c->addr);

	if (!err)
		c->linked = c->region->attachments->linked;
	return err;
}

static int attach_with(struct conversion *c, bool populate)
{
	return c->call->flags & MAP_FIXED ? attach_over(c, populate) : attach_free(c, populate);
}

/* mmap(2) does not fail for want of memory to populate with. */
static int attach(struct conversion *c)
{
	bool populate = wants_population(c);
	int err = attach_with(c, populate);

	if (err && populate)
		err = attach_with(c, false);
	if (err)
		return pass(c, fail_reason());
	return align_up(c->call->len, c->region->map_unit, &c->mapped);
}

/* An ordinary mapping of the same bytes, to take the linked one's place: it costs addresses only,
 * and no descriptor that the program could close. */
static int make_spare(const struct conversion *c, struct tracked *t)
{
	struct map_call call = { .len = c->mapped,
				 .prot = c->call->prot,
				 .flags = MAP_SHARED,
				 .fd = c->region->fd,
				 .off = is_anonymous(c->call) ? 0 : c->call->off };
	void *spare;
	int err = raw_mmap(&call, &spare);

	if (!err)
		t->spare = (uintptr_t)spare;
	return err;
}

static int track(struct conversion *c)
{
	struct tracked t = { .start = (uintptr_t)c->addr,
			     .mapped_end = (uintptr_t)c->addr + c->mapped,
			     .unit = c->region->map_unit,
			     .prot = c->call->prot,
			     .copyable = is_anonymous(c->call),
			     .forks = guard_forks() };
	uint64_t asked;
	int err = align_up(c->call->len, page_sizes()->base, &asked);

	t.end = t.start + asked;
	if (!err && c->linked)
		err = make_spare(c, &t);
	if (!err && (c->linked || t.mapped_end > t.end))
		err = tracked_add(&t);
	if (err && t.spare && raw_munmap((void *)t.spare, c->mapped))
		debug("a spare mapping stays at %p", (void *)t.spare);
	return err;
}

/* What the program asked for beside the mapping. */
static int finish(struct conversion *c)
{
	int err = track(c);

	if (err)
		pass(c, "no room to remember the mapping");
	else if (c->call->flags & MAP_LOCKED) {
		err = raw_mlock(c->addr, c->call->len);
		if (err)
			pass(c, "its pages cannot be locked");
	}
	if (err && raw_munmap(c->addr, c->mapped))
		debug("a mapping stays at %p", c->addr);
	return err;
}

/* 0, or -errno: nothing is mapped, and c->reason says why. */
static int convert(struct conversion *c)
{
	int err = check_call(c);

	if (!err)
		err = find_region(c);
	if (!err)
		err = check_region(c);
	if (!err)
		err = attach(c);
	if (!err)
		err = finish(c);
	return err;
}

static const char *kind_of(const struct conversion *c)
{
	if (is_anonymous(c->call))
		return "anonymous";
	if (!c->region)
		return "file";
	return c->region->kind == REGION_FILE	   ? "file"
	       : c->region->kind == REGION_HUGETLB ? "hugetlb file"
						   : "shared memory file";
}

/* Huge pages of the program's own share their tables at the right address; which one it leaves to
 * the kernel anyway. */
static int map_by_kernel(const struct map_call *call, void **out)
{
	struct map_call placed = *call;

	if ((call->flags & MAP_HUGETLB) && !call->addr && call->len >= page_sizes()->pud)
		placed.addr = room_find(call->len);
	return raw_mmap(&placed, out);
}

static void leave_to_kernel(struct conversion *c, struct report_entry *e)
{
	void *got;

	e->reason = c->reason;
	if (settings.require_shared && !(c->call->flags & MAP_HUGETLB)) {
		e->err = -EOPNOTSUPP;
		return;
	}
	e->err = c->call->flags & MAP_FIXED ? tracked_vacate(c->call->addr, c->call->len) : 0;
	if (!e->err)
		e->err = map_by_kernel(c->call, &got);
	if (!e->err)
		e->addr = got;
}

static void describe(struct conversion *c, struct report_entry *e)
{
	snprintf(c->reason, sizeof(c->reason), "%s",
		 c->too_big ? "not populated, its control group has less memory left"
			    : c->region->reason);
	e->reason = c->reason;
	e->addr = c->addr;
	e->backend = c->region->ops->name;
	e->page_size = c->region->page_size;
}

/* Reported when the region's descriptor is closed again: there may be no other to write with. */
int convert_map(const struct map_call *call, void **out)
{
	struct conversion c = { .call = call };
	int err = convert(&c);
	struct report_entry e = { .kind = kind_of(&c), .len = call->len };

	if (!err)
		describe(&c, &e);
	drop_region(&c);
	if (err)
		leave_to_kernel(&c, &e);
	report(&e);
	*out = (void *)e.addr;
	return e.err;
}

int convert_segment(const struct map_call *call, void **out, char *reason, size_t size)
{
	struct conversion c = { .call = call, .tables_only = true };
	int err = convert(&c);

	if (!err && !c.linked) {
		err = pass(&c, "shim: no shared tables for this attachment");
		if (raw_munmap(c.addr, c.mapped))
			debug("a mapping stays at %p", c.addr);
	}
	if (err)
		snprintf(reason, size, "%s", c.reason);
	else
		*out = c.addr;
	drop_region(&c);
	return err;
}
