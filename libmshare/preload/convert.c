/* SPDX-License-Identifier: MIT */
#include "convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "align.h"
#include "backing.h"
#include "commit.h"
#include "conversion.h"
#include "ending.h"
#include "guard.h"
#include "library-of.h"
#include "log.h"
#include "options.h"
#include "report.h"
#include "room.h"
#include "settings.h"
#include "tracked.h"

/* What we know how to keep; a call with any other bit is the kernel's. */
#define KNOWN_FLAGS                                                                                \
	(MAP_TYPE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE |              \
	 MAP_POPULATE | MAP_NONBLOCK | MAP_LOCKED | MAP_STACK)

bool convert_concerns(const struct map_call *call)
{
	int type = call->flags & MAP_TYPE;

	return call->len >= settings.min_size &&
	       (type == MAP_SHARED || type == MAP_SHARED_VALIDATE);
}

bool convert_is_own(const void *caller)
{
	static const char own[] = "libmshare.so";
	const char *path = library_of(caller);
	const char *name = path ? strrchr(path, '/') : NULL;

	return path && !strncmp(name ? name + 1 : path, own, sizeof(own) - 1);
}

static bool wants_exactly(const struct map_call *call)
{
	return call->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

/* By what the call says, before anything is done. */
static int check_call(struct conversion *c)
{
	const struct map_call *call = c->call;
	uint64_t grid = page_sizes()->pmd;

	if (is_anonymous(call) && ((call->flags & MAP_TYPE) != MAP_SHARED ||
				   !is_multiple((uint64_t)call->off, page_sizes()->base)))
		return conversion_pass(c, "flags or an offset that anonymous memory cannot have");
	if (call->flags & MAP_HUGETLB)
		return conversion_pass(c, "the program asks for huge pages itself");
	if (call->flags & ~KNOWN_FLAGS)
		return conversion_pass(c, "mmap flags that only the kernel can serve");
	if (call->prot != PROT_NONE && call->prot != PROT_READ &&
	    call->prot != (PROT_READ | PROT_WRITE))
		return conversion_pass(c, "a protection other than none, read, or read and write");
	if (!is_multiple((uintptr_t)call->addr, grid))
		return conversion_pass(
			c, "the program's address is not a multiple of what one huge page covers");
	if (!is_anonymous(call) && !is_multiple((uint64_t)call->off, grid))
		return conversion_pass(c,
				       "the offset is not a multiple of what one huge page covers");
	if (guard_in_handler())
		return conversion_pass(c, "mapped in a signal handler");
	return 0;
}

static int make_request(const struct conversion *c, struct region_request *req)
{
	static const enum mshare_pages best[MSHARE_BACKEND_COUNT] = {
		[MSHARE_BACKEND_NONE] = MSHARE_PAGES_AUTO,
		[MSHARE_BACKEND_THP] = MSHARE_PAGES_THP,
		[MSHARE_BACKEND_HUGETLB] = MSHARE_PAGES_PMD,
	};
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	*req = (struct region_request){ .size = is_anonymous(c->call) ? c->call->len : 0 };
	/* Below these there is nothing but the kernel's own mapping. */
	if (settings.backend == MSHARE_BACKEND_PLAIN)
		req->forced = &backend_plain;
	else if (settings.backend == MSHARE_BACKEND_SHIM || c->tables_only)
		req->forced = &backend_shim;
	else
		attr.prefer = best[settings.backend];
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
	return err ? conversion_pass(c, fail_reason()) : 0;
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

/* Reserved huge pages are there; of other memory the kernel keeps count. */
static int check_commit(struct conversion *c)
{
	const char *why;

	if (!is_anonymous(c->call) || c->region->ops == &backend_hugetlb)
		return 0;
	why = commit_hindrance(c->call, conversion_populates(c));
	return why ? conversion_pass(c, why) : 0;
}

static bool is_memfd(int fd)
{
	static const char name[] = "/memfd:";
	char path[32];
	char target[sizeof(name)];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) == (ssize_t)sizeof(target) &&
	       !strncmp(target, name, sizeof(name) - 1);
}

/*
 * Who uses a file is told by a lock on it, as long as a helper makes its huge pages. Programs lock
 * whole files, hardly what they made to be memory: so not on any other tmpfs than /dev/shm.
 */
static int check_locks(struct conversion *c)
{
	const struct region *r = c->region;
	struct stat shm;

	if (is_anonymous(c->call) || r->ops != &backend_thp || r->huge_on_touch)
		return 0;
	if (is_memfd(c->call->fd) ||
	    (!sys_stat(BACKING_SHM_DIR "/.", &shm) && shm.st_dev == r->dev))
		return 0;
	return conversion_pass(c, "a file of another tmpfs than " BACKING_SHM_DIR
				  ", which gives no huge pages by itself");
}

/* Exactly there, the mapping must not be longer than what the program makes room for. */
static int check_region(struct conversion *c)
{
	const struct region *r = c->region;

	if (r->ops == &backend_plain)
		return conversion_pass(c, r->reason[0] ? r->reason : "plain was asked for");
	if ((c->call->flags & MAP_LOCKED) && r->ops == &backend_shim)
		return conversion_pass(c, "the pages of shared tables cannot be locked");
	if (wants_exactly(c->call) && !is_multiple(c->call->len, r->map_unit))
		return conversion_pass(
			c, "the length at a fixed address is not a multiple of the page size");
	if (!is_multiple((uintptr_t)c->call->addr, r->grid) ||
	    (!is_anonymous(c->call) && !is_multiple((uint64_t)c->call->off, r->grid)))
		return conversion_pass(c, "address or offset is not a multiple of the page size");
	return 0;
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
		err = check_commit(c);
	if (!err)
		err = check_locks(c);
	if (!err)
		err = conversion_attach(c);
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
	struct mshare_stat st = { 0 };

	e->addr = c->addr;
	e->backend = c->region->ops->name;
	e->page_size = c->region->page_size;
	e->shared_tables = conversion_shares(c, c->addr);
	e->read_only = !c->region->writable;
	e->reason = c->reason;
	if (settings.backend_unknown)
		conversion_say(c, RUN_BACKEND " is none of shim, hugetlb, thp, plain: ignored");
	else if (c->too_big)
		conversion_say(c, "not populated, its control group has less memory left");
	else if (settings.report && !region_stat(c->region, &st))
		conversion_say(c, st.reason);
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
	ending_expect(&e);
	*out = (void *)e.addr;
	return e.err;
}

int convert_segment(const struct map_call *call, void **out, char *reason, size_t size)
{
	struct conversion c = { .call = call, .tables_only = true };
	int err = convert(&c);

	if (err)
		snprintf(reason, size, "%s", c.reason);
	else
		*out = c.addr;
	drop_region(&c);
	return err;
}
