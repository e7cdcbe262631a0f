// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flights: rounds of emptying slots whose TLB flush is under way, and zaps of attached VMAs, by
 * which other notifiers are told. Sections of the host that find a slot empty wait for them.
 */
#include <linux/delay.h>
#include <linux/mm_inline.h>
#include <linux/sched/signal.h>

#include "mshim.h"

/* The other notifiers of a link are to be told of a slot. view->lock held. */
void mshim_zap_queue(struct mshim_link *link, unsigned long nr)
{
	if (list_empty(&link->zap_node)) {
		list_add_tail(&link->zap_node, &link->view->zap_list);
		link->zap_first = nr;
		link->zap_last = nr;
	}
	link->zap_first = min(link->zap_first, nr);
	link->zap_last = max(link->zap_last, nr);
}

/* view->lock held for both. */
void mshim_flight_begin(struct mshim_view *view, struct list_head *list,
			struct mshim_flight *flight)
{
	lockdep_assert_held(&view->lock);
	flight->number = view->flights++;
	flight->task = current;
	list_add_tail(&flight->node, list);
}

void mshim_flight_end(struct mshim_view *view, struct mshim_flight *flight)
{
	lockdep_assert_held(&view->lock);
	list_del(&flight->node);
	wake_up_all(&view->wait);
}

static bool all_landed(struct mshim_view *view, struct list_head *list, u64 number)
{
	struct mshim_flight *first;
	bool landed;

	spin_lock(&view->lock);
	first = list_first_entry_or_null(list, struct mshim_flight, node);
	landed = !first || first->number >= number;
	spin_unlock(&view->lock);
	return landed;
}

/* Whether current is in the middle of a zap. */
bool mshim_is_zapping(struct mshim_view *view)
{
	struct mshim_flight *flight;
	bool found = false;

	spin_lock(&view->lock);
	list_for_each_entry(flight, &view->zaps, node)
		found |= flight->task == current;
	spin_unlock(&view->lock);
	return found;
}

/* Until all that are in flight now have ended; not for those that begin meanwhile. */
void mshim_flights_wait(struct mshim_view *view, struct list_head *list)
{
	u64 number;

	spin_lock(&view->lock);
	number = view->flights;
	spin_unlock(&view->lock);
	wait_event(view->wait, all_landed(view, list, number));
}

/*
 * No other notifier of an attached mm may be registered between the start and the end of a zap's
 * section: it would hear the end only, and KVM counts. Registering takes the i_mmap locks of all
 * files that are mapped (mm_take_all_locks()), so the one of the link's own file is enough. The
 * first zap takes it and the last, of whichever task, gives it back; lockdep knows only locks that
 * have one owner. view->lock held.
 */
static void exclude(struct mshim_link *link)
{
	lockdep_assert_held(&link->view->lock);
	lockdep_off();
	if (!link->excludes)
		link->excludes = i_mmap_trylock_read(link->vma->vm_file->f_mapping);
	lockdep_on();
}

static void exclude_no_more(struct mshim_link *link)
{
	lockdep_assert_held(&link->view->lock);
	lockdep_off();
	if (link->excludes)
		i_mmap_unlock_read(link->vma->vm_file->f_mapping);
	lockdep_on();
	link->excludes = false;
}

/* Zaps of a link that overlap must not keep others from the lock for ever. view->lock held. */
static bool is_awaited(const struct mshim_link *link)
{
	return link->zaps && rwsem_is_contended(&link->vma->vm_file->f_mapping->i_mmap_rwsem);
}

/*
 * The next link of a batch: one that nobody registers at, if there is any. It can only be tried,
 * and for a while: who registers may have its lock and wait for an i_mmap lock that our caller has.
 * Then it goes on only after our caller, and so after this zap. Otherwise it has gone on by now, as
 * have fork, mmap and munmap of the same descriptor. All links wait at the same time: a process can
 * have many. Nobody else takes links out of a batch, and close_link() waits for its end. view->lock
 * held; dropped while it waits.
 */
static struct mshim_link *next_link(struct mshim_view *view, struct list_head *batch, int *tries)
{
	struct mshim_link *link, *first = NULL;

	while ((link = list_first_entry_or_null(batch, struct mshim_link, zap_node)) && *tries) {
		exclude(link);
		if (link->excludes && !is_awaited(link))
			break;
		list_move_tail(&link->zap_node, batch);
		if (first == link) {
			spin_unlock(&view->lock);
			usleep_range(50, 100);
			spin_lock(&view->lock);
			first = NULL;
			--*tries;
		} else if (!first) {
			first = link;
		}
	}
	return link;
}

/*
 * One zap of an attached VMA. link->zaps keeps link, VMA, file, tables and blanks: see notifier.c.
 * An IOMMU that walks the tables of a process is told when the core flushes, which it does not
 * where it finds nothing; it does if it believes that others are at it too.
 */
static void zap_link(struct mshim_link *link, unsigned long first, unsigned long last)
{
	unsigned long start = mshim_link_addr(link, first);
	bool devices = mshim_devices_walk(link->mm);

	/*
	 * The section this opens nests in the host's own. Both are of the same lockdep class, and
	 * no cycle: the attached mm hosts nothing, so its notifiers never lead back here.
	 */
	lockdep_off();
	if (devices)
		inc_tlb_flush_pending(link->mm);
	mshim_zap_vma(link->vma, start, (last - first + 1) << PMD_SHIFT);
	if (devices)
		dec_tlb_flush_pending(link->mm);
	lockdep_on();
}

/* The zap that a link waits for. view->lock held; dropped meanwhile. */
static void zap_waiting(struct mshim_link *link)
{
	struct mshim_view *view = link->view;
	unsigned long first = link->zap_first;
	unsigned long last = link->zap_last;
	struct mshim_flight flight;

	list_del_init(&link->zap_node);
	link->zaps++;
	exclude(link);
	mshim_flight_begin(view, &view->zaps, &flight);
	spin_unlock(&view->lock);
	zap_link(link, first, last);
	spin_lock(&view->lock);
	if (!--link->zaps)
		exclude_no_more(link);
	mshim_flight_end(view, &flight);
}

/*
 * What is queued now. What is queued meanwhile is for others to do; they may widen a zap of the
 * batch instead, and wait for that. view->lock held; dropped meanwhile.
 */
static void zap_batch(struct mshim_view *view)
{
	struct mshim_flight flight;
	struct mshim_link *link;
	LIST_HEAD(batch);
	int tries = 20;

	list_splice_init(&view->zap_list, &batch);
	mshim_flight_begin(view, &view->batches, &flight);
	while ((link = next_link(view, &batch, &tries)))
		zap_waiting(link);
	mshim_flight_end(view, &flight);
}

/*
 * Tells the other notifiers of the attached processes. The slots are empty already, so the core
 * finds nothing to zap. Returns when every zap that was queued before is done: who queued it must
 * not go on before, whoever does it.
 */
void mshim_zap_queued(struct mshim_view *view)
{
	spin_lock(&view->lock);
	if (!list_empty(&view->zap_list))
		zap_batch(view);
	spin_unlock(&view->lock);
	mshim_flights_wait(view, &view->batches);
}

/* As far as they are in flight now, and for a while at most. */
void mshim_zaps_wait(struct mshim_view *view)
{
	u64 number;

	spin_lock(&view->lock);
	number = view->flights;
	spin_unlock(&view->lock);
	wait_event_killable_timeout(view->wait, all_landed(view, &view->zaps, number), WAIT_STEP);
}
