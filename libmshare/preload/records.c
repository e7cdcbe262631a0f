/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <errno.h>
#include <stdatomic.h>

#include "align.h"
#include "guard.h"

/* Fixed, so that nothing is allocated; a program has few mappings of this size. */
#define MOST 1024

static struct tracked records[MOST]; /* guard_lock(); the first `count` are in use */
static atomic_size_t count; /* guard_lock() to change it */

bool tracked_any(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

void record_drop(struct tracked *t)
{
	size_t last = atomic_load_explicit(&count, memory_order_relaxed) - 1;

	*t = records[last];
	atomic_store_explicit(&count, last, memory_order_release);
}

struct range range_of(const void *addr, size_t len)
{
	uint64_t whole = len;

	if (align_up(len, page_sizes()->base, &whole))
		whole = len;
	return (struct range){ (uintptr_t)addr, (uintptr_t)addr + whole };
}

static bool touches(const struct tracked *t, struct range r)
{
	return t->start < r.end && r.start < t->mapped_end;
}

struct tracked *record_next(struct range r, size_t *i)
{
	size_t n = atomic_load_explicit(&count, memory_order_relaxed);

	for (; *i < n; (*i)++)
		if (touches(&records[*i], r))
			return &records[*i];
	return NULL;
}

size_t records_with_tail(struct range r)
{
	struct tracked *t;
	uintptr_t end = r.end;

	for (size_t i = 0; (t = record_next(r, &i)); i++)
		if (t->end <= r.end && t->end > r.start && t->mapped_end > end)
			end = t->mapped_end;
	return end - r.start;
}

uintptr_t tracked_ordinary(uintptr_t start)
{
	size_t i = 0;
	const struct tracked *t = record_next((struct range){ start, start + 1 }, &i);

	return t && t->spare ? t->spare + (start - t->start) : start;
}

static int unmap_spare(struct tracked *t)
{
	return t->spare ? raw_munmap((void *)t->spare, t->mapped_end - t->start) : 0;
}

void records_drop_stale(struct range r)
{
	struct tracked *t;
	size_t i = 0;

	while ((t = record_next(r, &i)))
		if (unmap_spare(t) == 0)
			record_drop(t);
		else
			i++;
}

int record_add(const struct tracked *t)
{
	size_t n;

	records_drop_stale((struct range){ t->start, t->mapped_end });
	n = atomic_load_explicit(&count, memory_order_relaxed);
	if (n == MOST)
		return -ENOSPC;
	records[n] = *t;
	atomic_store_explicit(&count, n + 1, memory_order_release);
	return 0;
}

int tracked_add(const struct tracked *t)
{
	int err;

	guard_lock();
	err = record_add(t);
	guard_unlock();
	return err;
}

void records_forget_unmapped(struct range r)
{
	struct tracked *t;
	size_t i = 0;

	while ((t = record_next(r, &i))) {
		if (t->start >= r.start && t->end <= r.end && unmap_spare(t) == 0)
			record_drop(t);
		else if (t->end > r.start && t->end <= r.end && !t->spare)
			record_drop(t); /* what is left ends where a huge page does */
		else if (t->start < r.end && !t->spare)
			t->start = r.end; /* and so does what is left before it */
		else
			i++;
	}
}

void tracked_forget(void *addr, size_t len)
{
	guard_lock();
	records_drop_stale(range_of(addr, len));
	guard_unlock();
}
