/* SPDX-License-Identifier: MIT */
/*
 * mshare_lock(): a mapping of the library's own, locked, holds the pages for everybody as long as
 * it lives: until mshare_unlock(), the end of the handle or of the process. Its limits and its
 * death are those of who asked; nothing has to be undone after a crash.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "caps.h"
#include "control.h"
#include "handle.h"
#include "log.h"
#include "shim-parts.h"
#include "window.h"

struct region_lock {
	struct region_lock *next; /* of the region; state_lock */
	struct window window;
	off_t off;
	uint64_t len;
	unsigned long process; /* state_process(): a child has the record, and not the mapping */
};

static int lock_error(const struct range *range, int err)
{
	uint64_t limit = sys_memlock_limit();
	char size[SIZE_TEXT], allowed[SIZE_TEXT];

	size_text(range->len, size);
	if (limit != UINT64_MAX && (err == -EPERM || err == -ENOMEM))
		return fail(err == -EPERM ? err : -ENOMEM,
			    "lock: %s cannot be locked: RLIMIT_MEMLOCK allows %s in all, and the "
			    "process has no CAP_IPC_LOCK",
			    size, size_text(limit, allowed));
	return fail(-ENOMEM, "lock: no memory to have %s of the region in at once (error %d)", size,
		    -err);
}

/* Not in children, where it would be a mapping without the lock. */
static int lock_window(const struct region *r, const struct range *range, struct window *w)
{
	int err = window_open(r, "lock", range, PROT_READ, w);

	if (err)
		return err;
	err = sys_madvise(w->map, w->map_len, MADV_DONTFORK);
	if (!err)
		err = sys_mlock(w->addr, w->len);
	if (!err)
		return 0;
	window_close(w);
	return lock_error(range, err);
}

static int find_range(const struct region *r, const char *call, off_t off, uint64_t len,
		      struct range *range)
{
	int err = range_find(r, call, off, len, range);

	return err ? err : range_check(range, call, range_page(r));
}

int region_lock(struct region *r, off_t off, uint64_t len)
{
	struct region_lock *lock;
	struct range range;
	int err = find_range(r, "lock", off, len, &range);

	if (err || !range.len)
		return err;
	err = shim_refuse_parts(r, "lock");
	if (err)
		return err;
	lock = calloc(1, sizeof(*lock));
	if (!lock)
		return fail(-ENOMEM, "lock: no memory for bookkeeping");
	err = lock_window(r, &range, &lock->window);
	if (err) {
		free(lock);
		return err;
	}
	lock->off = range.off;
	lock->len = range.len;
	state_lock();
	lock->process = state_process();
	lock->next = r->locks;
	r->locks = lock;
	state_unlock();
	return 0;
}

static void release(struct region_lock *lock)
{
	if (lock->process == state_process())
		window_close(&lock->window);
	free(lock);
}

/* Of this process, off from the list. */
static struct region_lock *take(struct region *r, const struct range *range)
{
	struct region_lock **link, *found;

	state_lock();
	for (link = &r->locks; (found = *link); link = &found->next) {
		if (found->off == range->off && found->len == range->len &&
		    found->process == state_process()) {
			*link = found->next;
			break;
		}
	}
	state_unlock();
	return found;
}

/* The range as it was given to region_lock(), also when the end is no longer there. */
int region_unlock(struct region *r, off_t off, uint64_t len)
{
	struct range range = { .off = off, .len = len };
	struct region_lock *lock;
	int err = len ? 0 : find_range(r, "unlock", off, len, &range);

	if (err || !range.len)
		return err;
	lock = take(r, &range);
	if (!lock)
		return fail(-EINVAL,
			    "unlock: offset %lld and length %llu are not one range that was locked "
			    "through this handle",
			    (long long)off, (unsigned long long)range.len);
	release(lock);
	return 0;
}

void region_unlock_all(struct region *r)
{
	while (r->locks) {
		struct region_lock *lock = r->locks;

		r->locks = lock->next;
		release(lock);
	}
}
