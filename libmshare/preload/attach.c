/* SPDX-License-Identifier: MIT */
/* How a region is mapped for a program that asked for a mapping of its own. */
#include <errno.h>
#include <stdio.h>

#include "align.h"
#include "conversion.h"
#include "guard.h"
#include "log.h"
#include "memlimit.h"
#include "settings.h"
#include "tracked.h"

void conversion_say(struct conversion *c, const char *reason)
{
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

int conversion_pass(struct conversion *c, const char *reason)
{
	conversion_say(c, reason);
	return -EOPNOTSUPP;
}

/* What the program asks for is done; what only --populate asks for may not end it. */
bool conversion_populates(struct conversion *c)
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

/* Before the kernel does the call instead. What is to be replaced anyway stays until then, so that
 * nobody else gets the place. */
static void undo(const struct conversion *c)
{
	int err = c->call->flags & MAP_FIXED ? 0 : tracked_munmap(c->addr, c->mapped);

	if (err)
		debug("a mapping stays at %p: error %d", c->addr, -err);
}

/* Without a host the module's backend gives an ordinary mapping, which the kernel does as well. */
static int check_linked(struct conversion *c)
{
	struct mshare_stat st = { 0 };

	if (c->linked || !c->region->ops->mapping_fd)
		return 0;
	undo(c);
	c->region->ops->stat(c->region, &st);
	return conversion_pass(
		c, st.reason[0] ? st.reason : "shim: without any right there is nothing to share");
}

bool conversion_shares(const struct conversion *c, const void *addr)
{
	off_t off = is_anonymous(c->call) ? 0 : c->call->off;

	return region_shares_at(c->region, addr, off, c->mapped);
}

static int check_shared(struct conversion *c, const void *addr)
{
	char reason[128];
	char text[SIZE_TEXT];

	if (!settings.require_shared || conversion_shares(c, addr))
		return 0;
	snprintf(reason, sizeof(reason),
		 "%s: tables are shared for whole, aligned ranges of %s, of which the mapping has "
		 "none",
		 c->region->ops->name, size_text(c->region->share_unit, text));
	return conversion_pass(c, reason);
}

/* mmap(2) does not fail for want of memory to populate with. */
static int attach_or_say(struct conversion *c)
{
	bool populate = conversion_populates(c);
	int err = attach_with(c, populate);

	if (err && populate)
		err = attach_with(c, false);
	return err ? conversion_pass(c, fail_reason()) : 0;
}

/* Where something would be replaced it is too late to refuse afterwards. */
static int attach_checked(struct conversion *c)
{
	int err = align_up(c->call->len, c->region->map_unit, &c->mapped);

	if (err)
		return conversion_pass(c, "the length is too large");
	if (c->call->flags & MAP_FIXED)
		err = check_shared(c, c->call->addr);
	if (!err)
		err = attach_or_say(c);
	if (!err)
		err = check_linked(c);
	if (err || c->call->flags & MAP_FIXED)
		return err;
	err = check_shared(c, c->addr);
	if (err)
		undo(c);
	return err;
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

/* When the program cuts a huge page. */
static bool could_be_copied(const struct tracked *t)
{
	return t->copyable && t->unit > page_sizes()->base;
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
	if (!err && (c->linked || t.mapped_end > t.end || could_be_copied(&t)))
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
		err = conversion_pass(c, "no room to remember the mapping");
	else if ((c->call->flags & MAP_LOCKED) && raw_mlock(c->addr, c->call->len))
		err = conversion_pass(c, "its pages cannot be locked");
	if (err)
		undo(c);
	return err;
}

int conversion_attach(struct conversion *c)
{
	int err = attach_checked(c);

	return err ? err : finish(c);
}
