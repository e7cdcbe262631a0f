// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sections of the host, from the start to the end of an invalidation: nothing under them is linked.
 * Each slot counts those over it, so that faults elsewhere do not wait; one over many slots would
 * take long to count, and such ones share a span, which shrinks when the last of them ends.
 */
#include <linux/sched/signal.h>

#include "mshim.h"

/* Sections over more slots than that are not counted in each of them. */
#define COUNTED_SLOTS 64

/* Whether a section is in progress over the slot of addr. */
bool mshim_invalidating(const struct mshim_view *view, unsigned long addr)
{
	lockdep_assert_held(&view->lock);
	addr &= PMD_MASK;
	return view->slots[mshim_slot_of(view, addr)].busy ||
	       (view->invalidating && addr < view->inval_end &&
		addr + PMD_SIZE > view->inval_start);
}

/* Adds a section, or takes it away. view->lock held. False: it is over too many slots. */
static bool count_section(struct mshim_view *view, unsigned long start, unsigned long end, int add)
{
	unsigned long nr = mshim_slot_of(view, start);
	unsigned long last = mshim_slot_of(view, end - 1);

	lockdep_assert_held(&view->lock);
	if (last - nr >= COUNTED_SLOTS)
		return false;
	for (; nr <= last; nr++)
		view->slots[nr].busy += add;
	return true;
}

/* view->lock held. */
void mshim_section_begin(struct mshim_view *view, unsigned long start, unsigned long end)
{
	mshim_hints_expect(view, mshim_slot_of(view, start), mshim_slot_of(view, end - 1));
	if (count_section(view, start, end, 1))
		return;
	if (view->invalidating++ == 0) {
		view->inval_start = start;
		view->inval_end = end;
	}
	view->inval_start = min(view->inval_start, start);
	view->inval_end = max(view->inval_end, end);
}

void mshim_section_end(struct mshim_view *view, unsigned long start, unsigned long end)
{
	spin_lock(&view->lock);
	if (!count_section(view, start, end, -1))
		view->invalidating--;
	spin_unlock(&view->lock);
	wake_up_all(&view->wait);
}

static bool section_over(struct mshim_view *view, unsigned long addr)
{
	bool over;

	spin_lock(&view->lock);
	over = !mshim_invalidating(view, addr);
	spin_unlock(&view->lock);
	return over;
}

/* Until no section is over the slot of addr, or a while has passed. */
void mshim_section_wait(struct mshim_view *view, unsigned long addr)
{
	wait_event_killable_timeout(view->wait, section_over(view, addr), WAIT_STEP);
}
