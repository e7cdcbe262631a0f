// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing a PMD entry of an attached process while its page tables are being walked.
 *
 * Slots are emptied by notifiers of the host, which cannot take the attached mmap_lock: they run
 * under locks that nest inside it. Who walks the attached tables at that moment?
 *
 *   Lockless walks (GUP-fast) run with interrupts off in the attached process; the flush IPI waits
 *   for them, and they recheck entry and page before they keep a reference.
 *
 *   Others hold the attached mmap_lock for reading, or, from Linux 6.4 on, a VMA lock.
 *
 *   Since Linux 6.5 pte_offset_map_lock() copes with an entry that changes: it reads the entry
 *   once, takes the lock in *that* table, and starts again if the entry is another by then; all
 *   under rcu_read_lock(), from which a table is kept. So an entry may be emptied at any time, and
 *   the reference on its table is dropped after a grace period (MSHIM_WALKERS_RECHECK).
 *
 *   Before, the core relied on an entry that was once seen as a table to stay, for as long as the
 *   mmap_lock is held for reading: the entry is read twice, for the lock and for the table. Emptied
 *   in between, the walker would use physical page 0 as a table; replaced in between, it would
 *   change a table under another table's lock. There we
 *     1. try the attached mmap_lock for writing: when that succeeds nobody walks, and the entry is
 *        emptied under it. The usual case;
 *     2. else replace the entry by a *blank* table, which always stays empty: a walker that reads
 *        the entry twice then has two valid tables, whose locks and entries may be from different
 *        ones. Before the core may change the old table, all such walkers must have finished. They
 *        never sleep between the two reads and their last use of the table, so a grace period of
 *        RCU-tasks (every task has slept or been in user mode, preempted ones included) waits for
 *        them, and for nothing else. As it takes a tenth of a second, the mmap_lock is watched
 *        first, a millisecond at most: once it is free, or held by nobody but ourselves, it is not
 *        needed. Faults wait for pages, and for sections, without the lock (fault.c).
 *   Faults of the host change its tables outside of sections, but only from what is not there to
 *   what is, or by adding bits, which does no harm under the wrong lock. Hints of NUMA balancing
 *   would be the exception: tables that have some are not linked (hints.c).
 *   A blank becomes an empty slot again only under the mmap_lock for writing (repair.c), and while
 *   no zap is in flight (link->zaps). Zaps walk without the attached mmap_lock, over slots that are
 *   empty or blank, and that nobody fills before the section of the zap has ended.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "mshim.h"
#include "trace.h"

#ifdef MSHIM_WALKERS_RECHECK

int mshim_walkers_init(void)
{
	return 0;
}

void mshim_walkers_exit(void)
{
	rcu_barrier(); /* free_retired() is in this module */
}

bool mshim_walkers_lock(struct mshim_link *link)
{
	return true;
}

void mshim_walkers_unlock(struct mshim_link *link, bool locked)
{
}

static pmd_t replace(struct mshim_link *link, unsigned long nr, pmd_t *pmd, bool exclusive,
		     struct mshim_round *round)
{
	return mshim_pmd_exchange(pmd, __pmd(0));
}

/* Tables whose last link is gone, on their way through a grace period. */
struct retired {
	struct rcu_head rcu;
	unsigned int nr;
	struct page *tables[];
};

static void free_tables(struct page **tables, unsigned int nr)
{
	while (nr)
		__free_page(tables[--nr]);
}

static void free_retired(struct rcu_head *rcu)
{
	struct retired *retired = container_of(rcu, struct retired, rcu);

	free_tables(retired->tables, retired->nr);
	kfree(retired);
}

/*
 * Nobody waits for walkers, but tables do. Only where the lock of a table is an object of its own,
 * which the core frees at once with the table, must the core wait as well.
 */
static void end_walks(struct mshim_round *round)
{
	struct retired *retired = NULL;

	if (!round->nr_tables)
		return;
	if (!ALLOC_SPLIT_PTLOCKS)
		retired = kmalloc(struct_size(retired, tables, round->nr_tables),
				  GFP_ATOMIC | __GFP_NOWARN);
	if (!retired) {
		synchronize_rcu();
		free_tables(round->tables, round->nr_tables);
		return;
	}
	retired->nr = round->nr_tables;
	memcpy(retired->tables, round->tables, round->nr_tables * sizeof(*round->tables));
	call_rcu(&retired->rcu, free_retired);
}

#else

static struct page *blank_table;

static pmd_t blank_entry(void)
{
	return __pmd(((pmdval_t)page_to_pfn(blank_table) << PAGE_SHIFT) | _PAGE_TABLE);
}

int mshim_walkers_init(void)
{
	blank_table = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!blank_table)
		return -ENOMEM;
#if ALLOC_SPLIT_PTLOCKS
	blank_table->ptl = kmalloc(sizeof(spinlock_t), GFP_KERNEL);
	if (!blank_table->ptl) {
		__free_page(blank_table);
		return -ENOMEM;
	}
#endif
	spin_lock_init(ptlock_ptr(blank_table));
	return 0;
}

/*
 * No link is left, so no table points here; but a CPU may have cached an entry that did, which
 * nobody flushes when a blank is removed.
 */
void mshim_walkers_exit(void)
{
	mshim_tlb_flush_all();
#if ALLOC_SPLIT_PTLOCKS
	kfree(blank_table->ptl);
	blank_table->ptl = NULL;
#else
	memset(ptlock_ptr(blank_table), 0, sizeof(spinlock_t));
#endif
	__free_page(blank_table);
}

bool mshim_walkers_lock(struct mshim_link *link)
{
	return mmap_write_trylock(link->mm);
}

void mshim_walkers_unlock(struct mshim_link *link, bool locked)
{
	if (locked)
		mmap_write_unlock(link->mm);
}

/* Whether somebody besides current may be walking, now that the entry has been replaced. */
static bool walkers_possible(struct mm_struct *mm)
{
	bool locked;

	smp_mb(); /* the entry is replaced before the lock is looked at; pairs with down_read() */
	locked = rwsem_is_locked(&mm->mmap_lock);
	smp_mb(); /* what they did is seen by what follows; pairs with up_read() */
	if (!locked)
		return false;
	/* Ours alone: we are here, not between two reads, and any other would hold a reference. */
	return mm != current->mm || atomic_read(&mm->mm_users) > 1;
}

/* view->lock held, and the link keeps the mm. */
static void remember_walked(struct mshim_round *round, struct mm_struct *mm)
{
	if (round->nr_walked && round->walked[round->nr_walked - 1] == mm)
		return;
	if (round->nr_walked == ARRAY_SIZE(round->walked)) {
		round->wait_walkers = true;
		return;
	}
	mmgrab(mm);
	round->walked[round->nr_walked++] = mm;
}

static pmd_t replace(struct mshim_link *link, unsigned long nr, pmd_t *pmd, bool exclusive,
		     struct mshim_round *round)
{
	pmd_t old;

	/* A huge entry is used under the PMD lock only, which we hold: it may be emptied always. */
	if (exclusive || pmd_trans_huge(*pmd))
		return mshim_pmd_exchange(pmd, __pmd(0));
	old = mshim_pmd_exchange(pmd, blank_entry());
	__set_bit(nr, link->blank);
	link->nr_blank++;
	mshim_repair_later(link);
	if (!round->wait_walkers && walkers_possible(link->mm))
		remember_walked(round, link->mm);
	return old;
}

/* Faults hold the mmap_lock for microseconds: seen free once, all walks of before have ended. */
static bool walks_end_soon(struct mm_struct *mm)
{
	int tries = 20;

	while (walkers_possible(mm) && --tries)
		usleep_range(20, 50);
	return tries;
}

static void end_walks(struct mshim_round *round)
{
	while (round->nr_walked) {
		struct mm_struct *mm = round->walked[--round->nr_walked];

		if (!round->wait_walkers && !walks_end_soon(mm))
			round->wait_walkers = true;
		mmdrop(mm);
	}
	if (round->wait_walkers)
		synchronize_rcu_tasks();
	while (round->nr_tables)
		__free_page(round->tables[--round->nr_tables]);
}

#endif

/* Fills an empty slot. view->lock held; no notifier section of either side is over it. */
void mshim_slot_fill(struct mshim_link *link, unsigned long nr, pmd_t *pmd, pmd_t entry)
{
	struct mshim_view *view = link->view;
	struct mshim_slot *slot = &view->slots[link->first + nr];

	lockdep_assert_held(&view->lock);
	if (slot->links++ == 0) {
		slot->table = pmd_trans_huge(entry) ? NULL : pmd_page(entry);
		if (slot->table) {
			get_page(slot->table);
			view->nr_tables++;
		}
	}
	__set_bit(nr, link->filled);
	link->nr_filled++;
	view->nr_entries++;
	set_pmd(pmd, entry);
}

/*
 * Empties a filled slot. view->lock and the lock of pmd held. exclusive: nobody walks the tables
 * of this process. The TLBs are flushed, and the last reference on the table is dropped, when the
 * round ends.
 */
void mshim_slot_empty(struct mshim_link *link, unsigned long nr, pmd_t *pmd, bool exclusive,
		      struct mshim_round *round)
{
	struct mshim_view *view = link->view;
	struct mshim_slot *slot = &view->slots[link->first + nr];
	pmd_t old = replace(link, nr, pmd, exclusive, round);

	lockdep_assert_held(&view->lock);
	/* Used through our copy of a huge entry: the host's own copy does not know. */
	if (pmd_trans_huge(old)) {
		if (pmd_dirty(old))
			set_page_dirty(pmd_page(old));
		if (pmd_young(old))
			mark_page_accessed(pmd_page(old));
	}
	__clear_bit(nr, link->filled);
	link->nr_filled--;
	view->nr_entries--;
	round->emptied = true;
	if (--slot->links == 0 && slot->table) {
		round->tables[round->nr_tables++] = slot->table;
		slot->table = NULL;
		view->nr_tables--;
	}
}

/*
 * Turns blanks into empty slots, if no zap is in flight; true when there is no blank left. The
 * attached mmap_lock is held for writing, or the core has stopped all walks of these tables.
 */
bool mshim_blanks_remove(struct mshim_link *link)
{
	unsigned long nr;

	lockdep_assert_held(&link->view->lock);
	if (link->zaps)
		return !link->nr_blank;
	for_each_set_bit(nr, link->blank, link->nr_blank ? link->nr : 0) {
		pmd_t *pmd = mshim_pmd_lookup(link->mm, mshim_link_addr(link, nr));
		spinlock_t *ptl = pmd_lock(link->mm, pmd);

		set_pmd(pmd, __pmd(0));
		spin_unlock(ptl);
		__clear_bit(nr, link->blank);
	}
	link->nr_blank = 0;
	return true;
}

void mshim_round_begin(struct mshim_round *round)
{
	round->emptied = false;
	round->wait_walkers = false;
	round->nr_walked = 0;
	round->nr_tables = 0;
	/* Without memory for a mask all CPUs are flushed: slower, never wrong. */
	round->have_cpus = zalloc_cpumask_var(&round->cpus, GFP_ATOMIC | __GFP_NOWARN);
}

/* No locks of ours held. Afterwards no CPU and no walker sees what was unlinked. */
void mshim_round_end(struct mshim_round *round)
{
	if (round->emptied) {
		mshim_tlb_flush(round);
		trace_mshare_flush(round);
	}
	end_walks(round);
	if (round->have_cpus)
		free_cpumask_var(round->cpus);
}
