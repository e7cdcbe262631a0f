/* SPDX-License-Identifier: MIT */
#include "tracked.h"

#include "guard.h"
#include "ordinary.h"
#include "records.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

int tracked_munmap(void *addr, size_t len)
{
	struct range r = range_of(addr, len);
	int err;

	guard_lock();
	err = raw_munmap(addr, records_with_tail(r));
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_munmap(addr, records_with_tail(r));
	if (!err)
		records_forget_unmapped(r);
	guard_unlock();
	return err;
}

/* What has several protections is not copied any more: the copy would have one. */
static void note_protection(struct range r, int prot)
{
	struct tracked *t;

	for (size_t i = 0; (t = record_next(r, &i)); i++) {
		t->copyable &= r.start <= t->start && t->end <= r.end;
		t->prot = prot;
	}
}

/* The one linked mapping that has all of the range. */
static struct tracked *linked_around(struct range r)
{
	size_t i = 0;
	struct tracked *t = record_next(r, &i);

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
	err = raw_mprotect(addr, records_with_tail(r), prot);
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_mprotect(addr, records_with_tail(r), prot);
	if (!err)
		note_protection(r, prot);
	guard_unlock();
	return err;
}

/* No copy would have the key. */
int tracked_pkey_mprotect(void *addr, size_t len, int prot, int pkey)
{
	struct range r = range_of(addr, len);
	struct tracked *t;
	int err;

	guard_lock();
	(void)unlink_range(r);
	err = raw_pkey_mprotect(addr, records_with_tail(r), prot, pkey);
	if (is_refusal(err) && make_range_ordinary(r))
		err = raw_pkey_mprotect(addr, records_with_tail(r), prot, pkey);
	for (size_t i = 0; !err && (t = record_next(r, &i)); i++)
		t->copyable = false;
	guard_unlock();
	return err;
}

/* The pages of shared tables cannot be locked, though the kernel says they are. */
int tracked_mlock(void *addr, size_t len, unsigned int flags)
{
	int err;

	guard_lock();
	(void)unlink_range(range_of(addr, len));
	err = flags ? raw_mlock2(addr, len, flags) : raw_mlock(addr, len);
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

	for (size_t i = 0; (t = record_next(r, &i)); i++)
		if (r.start > t->start || r.end < t->end)
			return true;
	return false;
}

/* Past the end of its file, a tail has no memory that could be allocated. */
static int advise(struct range r, int advice)
{
	bool populates = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;

	return raw_madvise((void *)r.start, populates ? r.end - r.start : records_with_tail(r),
			   advice);
}

/* What the module refuses of the whole, too. */
static bool needs_ordinary(int advice)
{
	return advice == MADV_DODUMP || advice == MADV_COLLAPSE;
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
		err = advise(r, advice);
	if (is_refusal(err) && needs_ordinary(advice) && unlink_range(r))
		err = advise(r, advice);
	if (is_refusal(err) && is_part(r) && make_range_ordinary(r))
		err = advise(r, advice);
	guard_unlock();
	return err;
}
