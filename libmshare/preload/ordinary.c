/* SPDX-License-Identifier: MIT */
#include "ordinary.h"

#include <errno.h>
#include <sys/single_threaded.h>

#include "ending.h"
#include "guard.h"
#include "report.h"
#include "small-copy.h"

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

static const char *reason_of(int err)
{
	if (!err)
		return "in base pages from now on: the program changes a part of it";
	return err == -ENOMEM ? "the program changes a part, and there is no memory for a copy"
			      : "the program changes a part of a huge page, which others have too";
}

/* Then there is no tail either, and nothing to remember. */
int make_ordinary(struct tracked *t)
{
	int err = t->spare ? use_spare(t) : use_copy(t);

	report(&(struct report_entry){
		.kind = "converted before",
		.len = t->end - t->start,
		.addr = (void *)t->start,
		.err = err,
		.reason = reason_of(err),
	});
	if (err)
		return err;
	ending_forget(t->start);
	if (t->mapped_end > t->end)
		err = raw_munmap((void *)t->end, t->mapped_end - t->end);
	record_drop(t);
	return err;
}

bool make_range_ordinary(struct range r)
{
	struct tracked *t;
	bool any = false;
	size_t i = 0;

	while ((t = record_next(r, &i))) {
		if (!make_ordinary(t))
			any = true; /* another record has moved into its place */
		else
			i++;
	}
	return any;
}

bool unlink_range(struct range r)
{
	struct tracked *t;
	bool any = false;
	size_t i = 0;

	while ((t = record_next(r, &i))) {
		if (t->spare && !make_ordinary(t))
			any = true;
		else
			i++;
	}
	return any;
}

bool is_refusal(int err)
{
	return err == -EINVAL || err == -EACCES || err == -ENOMEM;
}
