/* SPDX-License-Identifier: MIT */
#include "tracked.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/single_threaded.h>

#include "align.h"
#include "ending.h"
#include "guard.h"
#include "report.h"
#include "small-copy.h"

/* Fixed, so that nothing is allocated; a program has few mappings of this size. */
#define MOST 1024

static struct tracked records[MOST]; /* guard_lock(); the first `count` are in use */
static atomic_size_t count; /* guard_lock() to change it */

bool tracked_any(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

static void drop(struct tracked *t)
{
	size_t last = atomic_load_explicit(&count, memory_order_relaxed) - 1;

	*t = records[last];
	atomic_store_explicit(&count, last, memory_order_release);
}

struct range {
	uintptr_t start;
	uintptr_t end;
};

static struct range range_of(const void *addr, size_t len)
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

/* Any record in the range, from the i-th on. */
static struct tracked *next_in(struct range r, size_t *i)
{
	size_t n = atomic_load_explicit(&count, memory_order_relaxed);

	for (; *i < n; (*i)++)
		if (touches(&records[*i], r))
			return &records[*i];
	return NULL;
}

/* What reaches the end that the program knows reaches the real one. */
static size_t with_tail(struct range r)
{
	struct tracked *t;
	uintptr_t end = r.end;

	for (size_t i = 0; (t = next_in(r, &i)); i++)
		if (t->end <= r.end && t->end > r.start && t->mapped_end > end)
			end = t->mapped_end;
	return end - r.start;
}

uintptr_t tracked_ordinary(uintptr_t start)
{
	size_t i = 0;
	const struct tracked *t = next_in((struct range){ start, start + 1 }, &i);

	return t && t->spare ? t->spare + (start - t->start) : start;
}

static int unmap_spare(struct tracked *t)
{
	return t->spare ? raw_munmap((void *)t->spare, t->mapped_end - t->start) : 0;
}

/* Records of mappings that are gone without our seeing. */
static void drop_stale(struct range r)
{
	struct tracked *t;
	size_t i = 0;

	while ((t = next_in(r, &i)))
		if (unmap_spare(t) == 0)
			drop(t);
		else
			i++;
}

int tracked_add(const struct tracked *t)
{
	size_t n;
	int err = -ENOSPC;

	guard_lock();
	drop_stale((struct range){ t->start, t->mapped_end });
	n = atomic_load_explicit(&count, memory_order_relaxed);
	if (n < MOST) {
		records[n] = *t;
		atomic_store_explicit(&count, n + 1, memory_order_release);
		err = 0;
	}
	guard_unlock();
	return err;
}

/*
 * The spare moves over the linked mapping in one step: no thread ever sees a hole, and the bytes
 * are those of the same file.
 */
static int use_spare(const struct tracked *t)
{
	size_t len = t->mapped_end - t->start;
	void *moved;

	return raw_mremap((void *)t->spare, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			  (void *)t->start, &moved);
}

static int use_copy(const struct tracked *t)
{
	if (!t->copyable || t->forks != guard_forks() || !__libc_single_threaded)
		return -EINVAL;
	return small_copy((void *)t->start, t->mapped_end - t->start, t->prot);
}

/* Then there is no tail either, and nothing to remember. */
static int make_ordinary(struct tracked *t)
{
	int err = t->spare ? use_spare(t) : use_copy(t);

	report(&(struct report_entry){
		.kind = "converted before",
		.len = t->end - t->start,
		.addr = (void *)t->start,
		.err = err,
		.reason = err ? "the program changes a part of a huge page, which others have too"
			      : "in base pages from now on: the program changes a part of it",
	});
	if (err)
		return err;
	ending_forget(t->start);
	if (t->mapped_end > t->end)
		err = raw_munmap((void *)t->end, t->mapped_end - t->end);
	drop(t);
	return err;
}

/* Whether there was one, so that the call is worth another try. */
static bool make_range_ordinary(struct range r)
{
	struct tracked *t;
	bool any = false;
	size_t i = 0;

	while ((t = next_in(r, &i))) {
		if (!make_ordinary(t))
			any = true; /* another record has moved into its place */
		else
			i++;
	}
	return any;
}

/* Records of which the end is gone. */
static void forget_unmapped(struct range r)
{
	struct tracked *t;
	size_t i = 0;

	while ((t = next_in(r, &i))) {
		if (t->start >= r.start && t->end <= r.end && unmap_spare(t) == 0)
			drop(t);
		else if (t->end > r.start && t->end <= r.end && !t->spare)
			drop(t); /* what is left ends where a huge page does */
		else if (t->start < r.end && !t->spare)
			t->start = r.end; /* and so does what is left before it */
		else
			i++;
	}
}

static bool is_refusal(int err)
{
	return err == -EINVAL || err == -EACCES || err == -ENOMEM;
}

int tracked_munmap(void *addr, size_t len)
{
	struct range r = range_of(addr, len);
	int err;

	guard_lock();
	err = raw_munmap(addr, with_tail(r));
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_munmap(addr, with_tail(r));
	if (!err)
		forget_unmapped(r);
	guard_unlock();
	return err;
}

/* What has several protections is not copied any more: the copy would have one. */
static void note_protection(struct range r, int prot)
{
	struct tracked *t;

	for (size_t i = 0; (t = next_in(r, &i)); i++) {
		t->copyable &= r.start <= t->start && t->end <= r.end;
		t->prot = prot;
	}
}

/* The one linked mapping that has all of the range. */
static struct tracked *linked_around(struct range r)
{
	size_t i = 0;
	struct tracked *t = next_in(r, &i);

	return t && t->spare && t->start <= r.start && r.end <= t->end ? t : NULL;
}

int tracked_mprotect(void *addr, size_t len, int prot)
{
	struct range r = range_of(addr, len);
	const struct tracked *t;
	int err;

	guard_lock();
	t = linked_around(r);
	if (t && t->prot == prot) {
		guard_unlock();
		return 0; /* which the module would refuse as any other */
	}
	err = raw_mprotect(addr, with_tail(r), prot);
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_mprotect(addr, with_tail(r), prot);
	if (!err)
		note_protection(r, prot);
	guard_unlock();
	return err;
}

/* Holes are made in the file, not in a mapping: by way of the spare, all others see them too. */
static bool is_for_the_file(const struct tracked *t, int advice)
{
	return t && advice == MADV_REMOVE;
}

/* Whether the kernel may have refused because the range is a part. */
static bool is_part(struct range r)
{
	struct tracked *t;

	for (size_t i = 0; (t = next_in(r, &i)); i++)
		if (r.start > t->start || r.end < t->end)
			return true;
	return false;
}

int tracked_madvise(void *addr, size_t len, int advice)
{
	struct range r = range_of(addr, len);
	const struct tracked *t;
	int err;

	guard_lock();
	t = linked_around(r);
	if (is_for_the_file(t, advice))
		err = raw_madvise((char *)addr + (t->spare - t->start), len, advice);
	else
		err = raw_madvise(addr, with_tail(r), advice);
	if (is_refusal(err) && is_part(r) && make_range_ordinary(r))
		err = raw_madvise(addr, with_tail(r), advice);
	guard_unlock();
	return err;
}

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

/*
 * A linked mapping is never moved or resized: the module refuses only after the kernel has begun.
 */
static void unlink_range(struct range r)
{
	struct tracked *t;
	size_t i = 0;

	while ((t = next_in(r, &i)))
		if (!t->spare || make_ordinary(t))
			i++;
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
	t = err || !old_len ? NULL : next_in(r, &i);
	if (t && t->start == r.start && t->end <= r.end)
		moved(t, (uintptr_t)*out, new_len);
	else if (t)
		forget_unmapped(r);
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
		drop(t);
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
	while (!err && (t = next_in(r, &i))) {
		if (cuts(t, r))
			err = make_ordinary(t);
		else if (t->end <= r.end && t->mapped_end > r.end)
			err = blank(t, r);
		else
			i++;
	}
	if (!err)
		forget_unmapped(r);
	guard_unlock();
	return err;
}

void tracked_forget(void *addr, size_t len)
{
	guard_lock();
	drop_stale(range_of(addr, len));
	guard_unlock();
}
