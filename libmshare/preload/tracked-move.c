/* SPDX-License-Identifier: MIT */
/* What puts a mapping where another one is. */
#include "align.h"
#include "guard.h"
#include "ordinary.h"
#include "records.h"

/* Huge pages: where they are now, and how long. */
static void moved(struct tracked *t, uintptr_t start, size_t len)
{
	struct range now = range_of((void *)start, len);
	uint64_t mapped = len;

	if (align_up(len, t->unit, &mapped))
		mapped = now.end - now.start;
	t->start = start;
	t->end = now.end;
	t->mapped_end = start + mapped;
}

int tracked_mremap(void *addr, size_t old_len, size_t new_len, int flags, void *to, void **out)
{
	struct range r = range_of(addr, old_len ? old_len : page_sizes()->base);
	struct tracked *t;
	size_t i = 0;
	int err;

	guard_lock();
	unlink_range(r);
	if (flags & MREMAP_FIXED)
		unlink_range(range_of(to, new_len));
	err = raw_mremap(addr, old_len, new_len, flags, to, out);
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_mremap(addr, old_len, new_len, flags, to, out);
	t = err || !old_len ? NULL : record_next(r, &i);
	if (t && t->start == r.start && t->end <= r.end)
		moved(t, (uintptr_t)*out, new_len);
	else if (t)
		records_forget_unmapped(r);
	guard_unlock();
	return err;
}

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

int tracked_vacate(void *addr, size_t len)
{
	struct range r = range_of(addr, len);
	struct tracked *t;
	size_t i = 0;
	int err = 0;

	guard_lock();
	unlink_range(r);
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
	guard_unlock();
	return err;
}
