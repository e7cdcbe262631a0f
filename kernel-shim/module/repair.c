// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a link needs the attached mmap_lock for writing for: its notifier after a fork, and turning
 * blanks (walkers.c) into empty slots. Faults do it themselves, where they may drop the lock they
 * came with; else a worker does it for them.
 */
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "mshim.h"

/* Faults that may not retry are repeated for so many jiffies, while the worker has its turn. */
#define PATIENCE 100

struct repair {
	struct work_struct work;
	struct mm_struct *mm;	/* mm_count */
};

static bool try_repair(struct mshim_link *link)
{
	struct mshim_view *view = link->view;
	bool repaired;

	spin_lock(&view->lock);
	repaired = mshim_blanks_remove(link);
	if (repaired) {
		link->repairing = false;
		link->impatient = 0;
	}
	spin_unlock(&view->lock);
	return repaired;
}

/*
 * The attached mmap_lock is held for writing, so nothing is filled and only zaps that are due are
 * waited for. Those wait for no mmap_lock: see close_link().
 */
static void repair_link(struct mshim_link *link)
{
	if (mshim_link_insert_notifier(link))
		pr_debug("no notifier yet, the next fault tries again\n");
	wait_event(link->view->wait, try_repair(link));
}

static void repair_all(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned long addr;

	mmap_write_lock(mm);
	for (addr = 0; (vma = find_vma(mm, addr)); addr = vma->vm_end) {
		struct mshim_link *link = mshim_link_of(vma);

		if (link)
			repair_link(link);
	}
	mmap_write_unlock(mm);
}

static void repair_work(struct work_struct *work)
{
	struct repair *repair = container_of(work, struct repair, work);

	if (mmget_not_zero(repair->mm)) {
		repair_all(repair->mm);
		mmput(repair->mm);
	}
	mmdrop(repair->mm);
	kfree(repair);
}

/* view->lock held. Without memory the next fault is the one to repair. */
void mshim_repair_later(struct mshim_link *link)
{
	struct repair *repair;

	lockdep_assert_held(&link->view->lock);
	if (link->repairing)
		return;
	repair = kmalloc(sizeof(*repair), GFP_ATOMIC | __GFP_NOWARN);
	if (!repair)
		return;
	INIT_WORK(&repair->work, repair_work);
	repair->mm = link->mm;
	mmgrab(link->mm);
	link->repairing = true;
	queue_work(mshim_workqueue, &repair->work);
}

/*
 * For a fault that may not drop the mmap_lock. futex(2) drops it before it tries again, and the
 * worker comes in between; get_user_pages() under a lock that it was given does not, and gets
 * -ENOMEM in the end.
 */
vm_fault_t mshim_repair_wait(struct mshim_link *link)
{
	bool patient;

	spin_lock(&link->view->lock);
	mshim_repair_later(link);
	if (!link->impatient)
		link->impatient = jiffies | 1;
	patient = time_before(jiffies, link->impatient + PATIENCE);
	spin_unlock(&link->view->lock);
	schedule_timeout_killable(1);
	return patient ? VM_FAULT_NOPAGE : VM_FAULT_OOM;
}

/*
 * The first notifier of an address space cannot be inserted while a signal is pending, and a fault
 * within a system call never delivers it. The worker has none.
 */
static bool repaired(struct mshim_link *link)
{
	repair_link(link);
	if (link->notified)
		return true;
	spin_lock(&link->view->lock);
	mshim_repair_later(link);
	spin_unlock(&link->view->lock);
	return false;
}

/* The link over address, if there is one; current->mm, or mm_users held. May be killed. */
void mshim_repair(struct mm_struct *mm, unsigned long address)
{
	struct vm_area_struct *vma;
	bool done = true;

	if (mmap_write_lock_killable(mm))
		return;
	vma = find_vma(mm, address);
	if (vma && vma->vm_start <= address && mshim_link_of(vma))
		done = repaired(mshim_link_of(vma));
	mmap_write_unlock(mm);
	if (!done)
		schedule_timeout_killable(1);
}
