/* SPDX-License-Identifier: MIT */
#include "attachment.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "handle.h"

static void *tree; /* state_lock */

/* Overlapping ranges compare equal; records in the tree never overlap each other, so the order is
 * total. */
static int compare(const void *a, const void *b)
{
	const struct attachment *x = a;
	const struct attachment *y = b;

	if ((uintptr_t)x->addr + x->len <= (uintptr_t)y->addr)
		return -1;
	return (uintptr_t)y->addr + y->len <= (uintptr_t)x->addr;
}

static struct attachment *find(const struct attachment *range)
{
	struct attachment *const *node = tfind(range, &tree, compare);

	return node ? *node : NULL;
}

static void forget(struct attachment *a)
{
	struct attachment **link = &a->region->attachments;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	tdelete(a, &tree, compare);
}

int attachment_add(struct attachment *a)
{
	struct attachment *stale;
	int err = 0;

	state_lock();
	while ((stale = find(a))) {
		forget(stale);
		free(stale);
	}
	if (tsearch(a, &tree, compare)) {
		a->next = a->region->attachments;
		a->region->attachments = a;
	} else {
		err = -ENOMEM;
	}
	state_unlock();
	return err;
}

struct attachment *attachment_take(struct region *r, void *addr, size_t len)
{
	const struct attachment range = { .addr = addr, .len = len };
	struct attachment *a;

	state_lock();
	a = find(&range);
	if (a && a->region == r && a->addr == addr && a->len == len)
		forget(a);
	else
		a = NULL;
	state_unlock();
	return a;
}

void attachment_forget_all(struct region *r)
{
	struct attachment *a;

	state_lock();
	while ((a = r->attachments)) {
		forget(a);
		free(a);
	}
	state_unlock();
}

long attachment_copy(struct region *r, struct attachment **out)
{
	long count = 0;
	struct attachment *copy;

	state_lock();
	for (const struct attachment *a = r->attachments; a; a = a->next)
		count++;
	copy = calloc((size_t)count + 1, sizeof(*copy));
	if (copy) {
		struct attachment *to = copy;

		for (const struct attachment *a = r->attachments; a; a = a->next)
			*to++ = *a;
	}
	state_unlock();
	*out = copy;
	return copy ? count : -ENOMEM;
}
