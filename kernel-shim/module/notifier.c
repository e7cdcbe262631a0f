// SPDX-License-Identifier: GPL-2.0-only
/* How a page leaves: invalidations of the host, and of attached processes. */
#include "mshim.h"
#include "trace.h"

/*
 * Slots of one invalidation that are emptied between two rounds: the references of a round are in
 * a fixed array. Processes may share each, so this is also what makes one IPI serve many.
 */
#define SLOTS_PER_ROUND ARRAY_SIZE(((struct mshim_round *)NULL)->tables)

/* Entries that are emptied under one hold of view->lock, more or less: faults spin for it. */
#define ENTRIES_PER_ROUND 4096UL

/*
 * Empties the filled slots of a link from nr to last, as far as they are in the same PMD table,
 * which the link keeps, and the round has room for their tables. Returns the next filled one.
 * view->lock held.
 */
static unsigned long empty_table(struct mshim_link *link, unsigned long nr, unsigned long last,
				 bool zap, bool exclusive, struct mshim_round *round)
{
	unsigned long addr = mshim_link_addr(link, nr);
	unsigned long next, end = nr - pmd_index(addr) + PTRS_PER_PMD;
	pmd_t *pmd = mshim_pmd_lookup(link->mm, addr);
	spinlock_t *ptl = pmd_lock(link->mm, pmd);

	while (nr <= last && nr < end && mshim_round_has_room(round)) {
		mshim_slot_empty(link, nr, pmd, exclusive, round);
		if (zap)
			mshim_zap_queue(link, nr);
		next = find_next_bit(link->filled, last + 1, nr + 1);
		pmd += next - nr;
		nr = next;
	}
	spin_unlock(ptl);
	return nr;
}

/*
 * Empties slots [first, last] of the view in one attached process, as far as the round has room.
 * view->lock held.
 */
static void empty_link(struct mshim_link *link, unsigned long first, unsigned long last, bool zap,
		       bool exclusive, struct mshim_round *round)
{
	unsigned long before = link->nr_filled;
	unsigned long nr;

	if (last < link->first || first >= link->first + link->nr || !link->nr_filled)
		return;
	first = first > link->first ? first - link->first : 0;
	last = min(last - link->first, link->nr - 1);
	nr = find_next_bit(link->filled, last + 1, first);
	while (nr <= last && mshim_round_has_room(round))
		nr = empty_table(link, nr, last, zap, exclusive, round);
	if (link->nr_filled == before)
		return;
	mshim_tlb_add(round, link->mm);
	trace_mshare_unlink(link->view, mshim_link_addr(link, first), before - link->nr_filled);
}

static bool any_filled(const struct mshim_link *link, unsigned long first, unsigned long last)
{
	if (last < link->first || first >= link->first + link->nr || !link->nr_filled)
		return false;
	first = first > link->first ? first - link->first : 0;
	last = min(last - link->first, link->nr - 1);
	return find_next_bit(link->filled, last + 1, first) <= last;
}

static void empty_all(struct mshim_view *view, unsigned long first, unsigned long last,
		      struct mshim_round *round)
{
	struct mshim_link *link;

	lockdep_assert_held(&view->lock);
	list_for_each_entry(link, &view->links, node) {
		bool exclusive;

		if (!any_filled(link, first, last))
			continue;
		exclusive = mshim_walkers_lock(link);
		empty_link(link, first, last, true, exclusive, round);
		mshim_walkers_unlock(link, exclusive);
	}
}

/*
 * A section that finds a slot empty may not go on before who emptied it has flushed: the other
 * may still be at its IPI round.
 */
static void round_begin(struct mshim_view *view, struct mshim_round *round)
	__acquires(&view->lock)
{
	mshim_round_begin(round);
	spin_lock(&view->lock);
	mshim_flight_begin(view, &view->rounds, &round->flight);
}

static void round_end(struct mshim_view *view, struct mshim_round *round)
	__releases(&view->lock)
{
	spin_unlock(&view->lock);
	mshim_round_end(round);
	spin_lock(&view->lock);
	mshim_flight_end(view, &round->flight);
	spin_unlock(&view->lock);
}

static bool any_linked(const struct mshim_view *view, unsigned long first, unsigned long last)
{
	for (; first <= last; first++) {
		if (view->slots[first].links)
			return true;
	}
	return false;
}

/* Empties slots [first, last] everywhere; nobody has a translation of them afterwards. */
static void empty_slots(struct mshim_view *view, unsigned long first, unsigned long last)
{
	unsigned int links = max(READ_ONCE(view->nr_links), 1U);
	unsigned long step = clamp(ENTRIES_PER_ROUND / links, 1UL, SLOTS_PER_ROUND);

	while (first <= last) {
		unsigned long until = min(last, first + step - 1);
		struct mshim_round round;

		round_begin(view, &round);
		if (any_linked(view, first, until))
			empty_all(view, first, until, &round);
		view->flushes += round.emptied;
		round_end(view, &round);
		first = until + 1;
	}
}

/* From here to the end of the section nothing in [start, end) is linked. */
static void invalidate(struct mshim_view *view, unsigned long start, unsigned long end)
{
	unsigned long first = mshim_slot_of(view, start);
	unsigned long last = mshim_slot_of(view, end - 1);
	bool linked;

	spin_lock(&view->lock);
	mshim_section_begin(view, start, end);
	linked = view->nr_entries && any_linked(view, first, last);
	view->invalidations += linked;
	spin_unlock(&view->lock);
	trace_mshare_invalidate(view, start, end, linked);
	if (linked)
		empty_slots(view, first, last);
	/* What others have emptied must be flushed and zapped as well: see round_begin(). */
	mshim_flights_wait(view, &view->rounds);
	mshim_zap_queued(view);
}

/*
 * For the OOM reaper, the only one who may not block. It takes nothing from a VMA with VM_SHARED,
 * and nothing else is ever linked: see host_vma(). If the host has put something else there, the
 * sections that made room for it have emptied the slots, and waited for the zaps.
 */
static void begin_unlinked(struct mshim_view *view, unsigned long start, unsigned long end)
{
	spin_lock(&view->lock);
	mshim_section_begin(view, start, end);
	WARN_ON_ONCE(any_linked(view, mshim_slot_of(view, start), mshim_slot_of(view, end - 1)));
	spin_unlock(&view->lock);
}

static int host_range_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct mshim_view *view = container_of(notifier, struct mshim_view, notifier);
	unsigned long start = max(range->start, view->start);
	unsigned long end = min(range->end, view->end);

	if (start >= end)
		return 0;
	if (mmu_notifier_range_blockable(range))
		invalidate(view, start, end);
	else
		begin_unlinked(view, start, end);
	return 0;
}

static void host_range_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct mshim_view *view = container_of(notifier, struct mshim_view, notifier);
	unsigned long start = max(range->start, view->start);
	unsigned long end = min(range->end, view->end);

	if (start < end)
		mshim_section_end(view, start, end);
}

/* The host's address space ends. Links keep it alive, so there are none; later ones are refused. */
static void host_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct mshim_view *view = container_of(notifier, struct mshim_view, notifier);

	WRITE_ONCE(view->dead, true);
	invalidate(view, view->start, view->end);
	mshim_section_end(view, view->start, view->end);
}

const struct mmu_notifier_ops mshim_host_ops = {
	.invalidate_range_start = host_range_start,
	.invalidate_range_end = host_range_end,
	.release = host_release,
};

void mshim_flush_view(struct mshim_view *view, unsigned long start, unsigned long end)
{
	invalidate(view, start, end);
	mshim_section_end(view, start, end);
}

/*
 * The core is about to free tables and VMA of an attached mapping. Nothing is filled any more (a
 * fault needs the VMA; it is still there after a refused mremap(2), and is then filled again), and
 * zaps, which use both, come first. They do not wait for us in turn: a zap waits for no mmap_lock.
 * Whoever ended the last one lets go of the link under view->lock, which is taken after that.
 */
static void close_link(struct mshim_link *link)
{
	struct mshim_view *view = link->view;

	mshim_zap_queued(view);
	wait_event(view->wait, !READ_ONCE(link->zaps));
	spin_lock(&view->lock);
	mshim_blanks_remove(link);
	spin_unlock(&view->lock);
}

/* Empties slots [first, last] of one link, round by round; whether there was something to empty. */
static bool empty_one(struct mshim_link *link, unsigned long first, unsigned long last,
		      unsigned long seq, bool zap, bool exclusive)
{
	struct mshim_view *view = link->view;
	struct mshim_round round;
	bool emptied = false;

	while (first <= last) {
		unsigned long until = min(last, first + ENTRIES_PER_ROUND - 1);

		round_begin(view, &round);
		mmu_interval_set_seq(&link->notifier, seq);
		empty_link(link, link->first + first, link->first + until, zap, exclusive, &round);
		emptied |= round.emptied;
		round_end(view, &round);
		/* Nothing is filled any more: what is left costs what was linked, not its size. */
		first = find_next_bit(link->filled, last + 1, first);
	}
	return emptied;
}

/*
 * An invalidation of the attached process: munmap, madvise, clear_refs, exit, and the zaps above.
 * Every event empties the slots: the core must not meet the host's entries. From then on a section
 * of the host finds nothing here to wait for, but other notifiers of this process may come after
 * us: they are told by a zap at once, which the host does wait for. In a zap that is under way.
 */
static bool link_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *range, unsigned long seq)
{
	struct mshim_link *link = container_of(notifier, struct mshim_link, notifier);
	struct mshim_view *view = link->view;
	unsigned long start = link->notifier.interval_tree.start;
	bool closes = range->event == MMU_NOTIFY_UNMAP || range->event == MMU_NOTIFY_RELEASE;
	unsigned long first, last;
	bool zap, emptied;

	/* The OOM reaper, which takes nothing from mappings with VM_SHARED. */
	if (!mmu_notifier_range_blockable(range))
		return false;
	/* At exit the range ends at ULONG_MAX: cut it to the link before it is rounded. */
	first = (max(range->start, start) - start) >> PMD_SHIFT;
	last = (min(range->end - 1, link->notifier.interval_tree.last) - start) >> PMD_SHIFT;
	zap = !mshim_is_zapping(view);
	emptied = empty_one(link, first, last, seq, zap, closes);
	/*
	 * What a host's section has emptied before us it may still be flushing. Not for our own
	 * zap, which frees nothing and has the i_mmap lock: who queued it waits for that.
	 */
	if (zap)
		mshim_flights_wait(view, &view->rounds);
	if (closes)
		close_link(link);
	else if (emptied && zap)
		mshim_zap_queued(view);
	return true;
}

const struct mmu_interval_notifier_ops mshim_link_ops = {
	.invalidate = link_invalidate,
};
