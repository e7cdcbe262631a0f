/* SPDX-License-Identifier: MIT */
/* What puts a mapping where another one is. */
#include "align.h"
#include "guard.h"
#include "log.h"
#include "ordinary.h"
#include "records.h"

/*
 * Over huge pages the kernel maps nothing that ends within one. So they give way, from the first
 * that is to go to the end of the tail, to a mapping without any right, in one step; and what is
 * beyond the range goes.
 */
static int blank(struct tracked *t, struct range r)
{
	uintptr_t from = t->start > r.start ? t->start : r.start;
	struct map_call call = { .addr = (void *)from,
				 .len = t->mapped_end - from,
				 .prot = PROT_NONE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
				 .fd = -1 };
	void *got;
	int err = raw_mmap(&call, &got);

	if (!err)
		err = raw_munmap((void *)r.end, t->mapped_end - r.end);
	if (!err)
		record_drop(t);
	return err;
}

/* Ends of the range within a huge page that the mapping keeps another part of. */
static bool cuts(const struct tracked *t, struct range r)
{
	return (r.start > t->start && !is_multiple(r.start, t->unit)) ||
	       (r.end < t->end && !is_multiple(r.end, t->unit));
}

static int vacate(struct range r)
{
	struct tracked *t;
	size_t i = 0;
	int err = 0;

	(void)unlink_range(r);
	while (!err && (t = record_next(r, &i))) {
		if (cuts(t, r))
			err = make_ordinary(t);
		else if (t->end <= r.end && t->mapped_end > r.end)
			err = blank(t, r);
		else
			i++;
	}
	if (!err)
		records_forget_unmapped(r);
	return err;
}

int tracked_vacate(void *addr, size_t len)
{
	int err;

	guard_lock();
	err = vacate(range_of(addr, len));
	guard_unlock();
	return err;
}

struct move {
	struct range from;
	size_t old_len;
	size_t new_len;
	int flags;
	void *to; /* with MREMAP_FIXED */
};

static int kernel_moves(const struct move *m, void **out)
{
	return raw_mremap((void *)m->from.start, m->old_len, m->new_len, m->flags, m->to, out);
}

/* Other arguments the kernel refuses before it looks at what is at the new place. */
static bool replaces(const struct move *m)
{
	struct range to = range_of(m->to, m->new_len);
	size_t page = page_sizes()->base;

	return (m->flags & ~MREMAP_DONTUNMAP) == (MREMAP_MAYMOVE | MREMAP_FIXED) && m->new_len &&
	       is_multiple(to.start | m->from.start, page) &&
	       (to.end <= m->from.start || m->from.end <= to.start);
}

/* The one that begins at the range, or around where it begins. */
static struct tracked *at_start(struct range r)
{
	size_t i = 0;

	return record_next((struct range){ r.start, r.start + 1 }, &i);
}

static int reserve(struct range r)
{
	struct map_call call = { .addr = (void *)r.start,
				 .len = r.end - r.start,
				 .prot = PROT_NONE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					  MAP_FIXED_NOREPLACE,
				 .fd = -1 };
	void *got;

	return raw_mmap(&call, &got);
}

/*
 * Huge pages replace whole ones, also what is behind the end that the program knows. What is free
 * there is kept so until they come; else an ordinary mapping moves.
 */
static int prepare_tail(const struct move *m, struct range *tail)
{
	struct tracked *t = at_start(m->from);
	struct range to = range_of(m->to, m->new_len);
	uint64_t whole;

	*tail = (struct range){ to.end, to.end };
	if (!t || align_up(m->new_len, t->unit, &whole) || to.start + whole == to.end)
		return 0;
	tail->end = to.start + whole;
	if (!reserve(*tail))
		return 0;
	tail->end = tail->start;
	return make_ordinary(t);
}

static int give_back(struct range tail)
{
	return tail.end > tail.start ? raw_munmap((void *)tail.start, tail.end - tail.start) : 0;
}

/* Onto other mappings. */
static int move_over(const struct move *m, void **out)
{
	struct range tail;
	int err = vacate(range_of(m->to, m->new_len));

	if (!err)
		err = prepare_tail(m, &tail);
	if (err)
		return err;
	err = kernel_moves(m, out);
	if (err && give_back(tail))
		debug("addresses stay reserved at %p", (void *)tail.start);
	return err;
}

static int move(const struct move *m, void **out)
{
	return replaces(m) ? move_over(m, out) : kernel_moves(m, out);
}

/* Huge pages: where they are now, and how long. */
static struct tracked moved(const struct tracked *was, uintptr_t start, size_t len)
{
	struct range now = range_of((void *)start, len);
	struct tracked t = *was;
	uint64_t mapped = len;

	if (align_up(len, t.unit, &mapped))
		mapped = now.end - now.start;
	t.start = start;
	t.end = now.end;
	t.mapped_end = start + mapped;
	return t;
}

static void note_move(const struct move *m, void *to)
{
	const struct tracked *t = at_start(m->from);
	struct tracked now;

	if (t)
		now = moved(t, (uintptr_t)to, m->new_len);
	records_forget_unmapped(m->from);
	records_drop_stale(range_of(to, m->new_len));
	if (t && record_add(&now))
		debug("no room to remember the mapping at %p", to);
}

/*
 * A linked mapping is never moved or resized: the module refuses only after the kernel has begun.
 */
int tracked_mremap(void *addr, size_t old_len, size_t new_len, int flags, void *to, void **out)
{
	const struct move m = { range_of(addr, old_len ? old_len : page_sizes()->base), old_len,
				new_len, flags, to };
	int err;

	guard_lock();
	(void)unlink_range(m.from);
	err = move(&m, out);
	if (is_refusal(err) && make_range_ordinary(m.from))
		err = move(&m, out);
	if (!err && old_len)
		note_move(&m, *out);
	else if (!err)
		records_drop_stale(range_of(*out, new_len));
	guard_unlock();
	return err;
}
