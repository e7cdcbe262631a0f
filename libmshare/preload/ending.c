/* SPDX-License-Identifier: MIT */
#include "ending.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "align.h"
#include "guard.h"
#include "hugecount.h"
#include "log.h"
#include "settings.h"
#include "tracked.h"

/* Fixed, as in tracked.c. */
#define MOST 1024

enum fate {
	FATE_NONE,
	FATE_PART, /* a call changes a part of it */
	FATE_WHOLE, /* a call ends it, and it has been looked at */
};

struct converted {
	struct report_entry entry;
	uintptr_t start;
	uintptr_t end; /* page-rounded, as the program knows it */
	pid_t owner; /* children inherit the list, but not the duty to report */
	bool cut; /* parts of it are gone */
	enum fate fate;
};

static struct converted list[MOST]; /* guard_lock(); the first `count` are in use */
static atomic_size_t count; /* guard_lock() to change it */

/* All of the list lies between. Wider than it has to be while anything is in it. */
static atomic_uintptr_t lowest, highest; /* guard_lock() to change them */

static size_t length(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

bool ending_concerns(const void *addr, size_t len)
{
	uintptr_t start = (uintptr_t)addr;

	return length() && start < atomic_load(&highest) && start + len > atomic_load(&lowest);
}

static void drop(struct converted *c)
{
	size_t last = length() - 1;

	*c = list[last];
	atomic_store_explicit(&count, last, memory_order_release);
}

static bool touches(const struct converted *c, uintptr_t start, uintptr_t end)
{
	return c->start < end && start < c->end;
}

static bool covers(const struct converted *c, uintptr_t start, uintptr_t end)
{
	return start <= c->start && c->end <= end;
}

/*
 * Bytes of the program's length: the last huge page may be longer. To who may not write, mincore(2)
 * does not tell what is in memory, and looking would allocate what is not.
 */
static int look(const struct converted *c, uint64_t *bytes)
{
	if (c->cut)
		return -ESTALE;
	if (!strcmp(c->entry.backend, "hugetlb")) {
		*bytes = c->entry.len;
		return 0;
	}
	if (c->entry.read_only)
		return -EACCES;
	return huge_count((void *)tracked_ordinary(c->start), c->end - c->start, bytes);
}

static void measure(struct converted *c)
{
	c->entry.huge_err = look(c, &c->entry.huge_bytes);
}

/* Says how it ended, and drops it. */
static void finish(struct converted *c)
{
	struct report_entry e = c->entry;
	char reason[128] = "";

	drop(c);
	if (e.huge_err == -ESTALE)
		snprintf(reason, sizeof(reason), "parts of it were unmapped before");
	else if (e.huge_err)
		snprintf(reason, sizeof(reason), "its pages cannot be looked at: %s",
			 strerrordesc_np(-e.huge_err));
	e.ended = true;
	e.reason = reason;
	report(&e);
}

/*
 * Any one of this process in the range, from the i-th on. Those of the parent are its own business.
 */
static struct converted *next_in(uintptr_t start, uintptr_t end, size_t *i)
{
	pid_t self = raw_getpid();

	while (*i < length()) {
		struct converted *c = &list[*i];

		if (!touches(c, start, end))
			(*i)++;
		else if (c->owner != self)
			drop(c);
		else
			return c;
	}
	return NULL;
}

static void widen(const struct converted *c)
{
	if (!length() || c->start < atomic_load(&lowest))
		atomic_store(&lowest, c->start);
	if (!length() || c->end > atomic_load(&highest))
		atomic_store(&highest, c->end);
}

static void append(const struct converted *c)
{
	size_t n = length();

	widen(c);
	list[n] = *c;
	atomic_store_explicit(&count, n + 1, memory_order_release);
}

/* What was there was unmapped by a call that we have not seen. */
static void finish_unseen(uintptr_t start, uintptr_t end)
{
	struct converted *c;
	size_t i = 0;

	while ((c = next_in(start, end, &i))) {
		if (c->fate == FATE_NONE) {
			c->entry.huge_err = -ESTALE;
			finish(c);
		} else {
			i++;
		}
	}
}

void ending_expect(const struct report_entry *e)
{
	struct converted c = { .entry = *e, .start = (uintptr_t)e->addr, .owner = raw_getpid() };
	uint64_t len;

	if (!settings.report || !e->backend || !e->addr || e->err ||
	    align_up(e->len, page_sizes()->base, &len))
		return;
	c.end = c.start + len;
	c.entry.reason = "";
	guard_lock();
	finish_unseen(c.start, c.end);
	if (length() < MOST)
		append(&c);
	else
		debug("too many mappings to say how the one at %p ends", e->addr);
	guard_unlock();
}

void ending_prepare(const void *addr, size_t len)
{
	uintptr_t start = (uintptr_t)addr;
	struct converted *c;

	guard_lock();
	for (size_t i = 0; (c = next_in(start, start + len, &i)); i++) {
		c->fate = covers(c, start, start + len) ? FATE_WHOLE : FATE_PART;
		if (c->fate == FATE_WHOLE)
			measure(c);
	}
	guard_unlock();
}

void ending_done(const void *addr, size_t len, int err)
{
	uintptr_t start = (uintptr_t)addr;
	struct converted *c;
	size_t i = 0;

	guard_lock();
	while ((c = next_in(start, start + len, &i))) {
		enum fate fate = c->fate;

		c->fate = FATE_NONE;
		c->cut |= !err && fate == FATE_PART;
		if (!err && fate == FATE_WHOLE)
			finish(c);
		else
			i++;
	}
	guard_unlock();
}

size_t ending_length(const void *addr)
{
	uintptr_t start = (uintptr_t)addr;
	const struct converted *c;
	size_t i = 0;
	size_t len;

	guard_lock();
	c = next_in(start, start + 1, &i);
	len = c && c->start == start ? c->end - c->start : 0;
	guard_unlock();
	return len;
}

void ending_moved(const void *from, size_t old_len, const void *to, size_t new_len)
{
	uintptr_t start = (uintptr_t)from;
	struct converted *c;

	if (!old_len)
		return; /* one more mapping of the same bytes */
	guard_lock();
	for (size_t i = 0; (c = next_in(start, start + old_len, &i)); i++) {
		size_t len = c->end - c->start;

		c->cut |= !covers(c, start, start + old_len) || new_len < len || c->start != start;
		c->start = (uintptr_t)to;
		c->end = c->start + len;
		widen(c);
	}
	guard_unlock();
}

void ending_forget(uintptr_t addr)
{
	struct converted *c;
	size_t i = 0;

	while ((c = next_in(addr, addr + 1, &i)))
		drop(c);
}

/* Not where the process is killed, calls _exit(2), or executes another program. */
__attribute__((destructor)) static void at_exit(void)
{
	struct converted *c;
	size_t i = 0;

	if (!length() || !guard_enter())
		return;
	guard_lock();
	while ((c = next_in(0, UINTPTR_MAX, &i))) {
		measure(c);
		finish(c);
	}
	guard_unlock();
	guard_leave();
}
