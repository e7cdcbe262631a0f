// SPDX-License-Identifier: GPL-2.0-only
/* A fault of an attached process: let the host have the page, then point to the host's table. */
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "mshim.h"
#include "trace.h"

/* What the host has forbidden, to itself and with that to all. Host mmap_lock held. */
static bool forbids(const struct vm_area_struct *host, const struct vm_fault *vmf)
{
	vm_flags_t needed = vmf->flags & FAULT_FLAG_WRITE ? VM_READ | VM_WRITE : VM_READ;

	return (host->vm_flags & needed) != needed;
}

/*
 * Whether all of a slot is the view's, in VMAs that the host may have split: a table that is linked
 * is linked whole. Not if the host may not read a part: the core would take such entries in an
 * attached process for a hint of NUMA balancing, and make them accessible. host: one of the VMAs,
 * which may be read, and dumped. Host mmap_lock held.
 */
static bool slot_is_mapped(const struct mshim_link *link, const struct vm_area_struct *host,
			   unsigned long addr)
{
	unsigned long end = addr + PMD_SIZE;

	if (addr >= host->vm_start && end <= host->vm_end && !mshim_parts_any(link->view->parts))
		return true;
	while (addr < end) {
		host = mshim_host_vma(link->view, addr, &addr);
		if (!host || !(host->vm_flags & VM_READ) || mshim_dump_omits(link, host))
			return false;
	}
	return true;
}

/*
 * Link-around: every slot under the PMD table of the fault that is the view's as a whole and that
 * the host has a table for. Host mmap_lock and view->lock held, which keep the host's entries and
 * tables: upper tables over a VMA stay as long as it does, and the core changes the entries in
 * notifier sections only, of which none is in progress over the slot. vmf->pmd is in the PMD table
 * of the attached process, which its mmap_lock keeps.
 */
static void link_around(struct mshim_link *link, const struct vm_fault *vmf,
			const struct vm_area_struct *host)
{
	struct mshim_view *view = link->view;
	unsigned long nr = (vmf->address - link->vma->vm_start) >> PMD_SHIFT;
	unsigned long back = min(nr, pmd_index(vmf->address));
	unsigned long last = min(link->nr, nr - pmd_index(vmf->address) + PTRS_PER_PMD);
	spinlock_t *ptl = pmd_lockptr(link->mm, vmf->pmd);
	pmd_t *pmd = vmf->pmd - back;
	unsigned long before = link->nr_filled;
	pmd_t entry, *from = NULL;

	spin_lock(ptl);
	for (nr -= back; nr < last; nr++, pmd++) {
		unsigned long addr = mshim_slot_addr(view, link->first + nr);

		if (test_bit(nr, link->filled) || test_bit(nr, link->blank) || !pmd_none(*pmd) ||
		    mshim_invalidating(view, addr) || !slot_is_mapped(link, host, addr)) {
			from = NULL;
			continue;
		}
		/* In the table of the slot before, if that was looked up. */
		from = from && pmd_index(addr) ? from + 1 : mshim_pmd_lookup(view->mm, addr);
		entry = from ? READ_ONCE(*from) : __pmd(0);
		if (mshim_pmd_linkable(entry) && !mshim_hints_any(view, addr, entry))
			mshim_slot_fill(link, nr, pmd, entry);
	}
	spin_unlock(ptl);
	if (link->nr_filled != before)
		trace_mshare_link(view, vmf->address, link->nr_filled - before);
}

enum outcome {
	DONE,
	MISSING,	/* the host does not map the page, or not for writing */
	HINTS,		/* the host does, beside others that it has to resolve hints for */
	UNFIT,		/* the slot cannot be linked, see try_link() */
	AGAIN,		/* the host's lock was dropped meanwhile */
	BUSY,		/* an invalidation is in the way */
	BLANK,		/* a blank table is in the way, or the link has no notifier yet */
};

/*
 * Whether hints alone have kept the slot of addr, a page that the host maps, from being linked.
 * They are not looked for again: the host may have resolved the last one meanwhile.
 */
static bool waits_for_hints(const struct mshim_link *link, const struct vm_fault *vmf,
			    const struct vm_area_struct *host, unsigned long addr)
{
	return pmd_none(*vmf->pmd) && slot_is_mapped(link, host, addr & PMD_MASK);
}

/*
 * Links if nothing has been invalidated since seq was taken, on the attached side. UNFIT: the host
 * has the page, but something else in its slot; or the attached process has made a table of its
 * own there, as asynchronous write-protection by userfaultfd(2) does.
 */
static enum outcome try_link(struct mshim_link *link, const struct vm_fault *vmf,
			     const struct vm_area_struct *host, unsigned long addr,
			     unsigned long seq)
{
	struct mshim_view *view = link->view;
	unsigned long nr = (vmf->address - link->vma->vm_start) >> PMD_SHIFT;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	enum outcome outcome = BUSY;

	spin_lock(&view->lock);
	if (test_bit(nr, link->blank)) {
		outcome = BLANK;
	} else if (!mmu_interval_read_retry(&link->notifier, seq) &&
		   !mshim_invalidating(view, addr)) {
		/* Looked at first: what another fault of the host maps after that is no misfit. */
		outcome = mshim_mapped(view->mm, addr, write) ? DONE : MISSING;
		if (!test_bit(nr, link->filled))
			link_around(link, vmf, host);
		if (outcome == DONE && !test_bit(nr, link->filled))
			outcome = waits_for_hints(link, vmf, host, addr) ? HINTS : UNFIT;
	}
	spin_unlock(&view->lock);
	return outcome;
}

/*
 * The address space of a killed host belongs to no memory cgroup: what shmem would charge to it
 * nobody would pay for. The page is brought in here instead, at the expense of current; other file
 * systems charge current anyway. Host mmap_lock held, which keeps vma and its file.
 */
static vm_fault_t charge_current(const struct vm_area_struct *vma, unsigned long addr)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct page *page;

	if (mapping->host->i_sb->s_magic != TMPFS_MAGIC || mshim_mm_pays(vma->vm_mm))
		return 0;
	page = shmem_read_mapping_page_gfp(mapping, mshim_pgoff_at(vma, addr),
					   mapping_gfp_mask(mapping));
	if (!IS_ERR(page))
		put_page(page);
	/* Anything else, such as the end of the file, the host's fault will find. */
	return page == ERR_PTR(-ENOMEM) ? VM_FAULT_OOM : 0;
}

static unsigned int fault_flags(const struct vm_fault *vmf, unsigned int tries)
{
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;

	if (tries)
		flags |= FAULT_FLAG_TRIED;
	return flags | (vmf->flags & FAULT_FLAG_WRITE);
}

/*
 * The host faults on its own behalf: its rss, its cgroup, its rmap. As for any fault, waiting for
 * the page may drop the mmap_lock, the host's here, and can be ended by a fatal signal: see
 * dropped_lock().
 */
static vm_fault_t host_fault(struct mshim_view *view, struct vm_area_struct *vma,
			     const struct vm_fault *vmf, unsigned int tries)
{
	unsigned long addr = mshim_host_addr(view, vmf->pgoff);
	vm_fault_t ret = charge_current(vma, addr);

	return ret ?: handle_mm_fault(vma, addr, fault_flags(vmf, tries), NULL);
}

static bool dropped_lock(vm_fault_t ret)
{
	return ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED);
}

/*
 * Whether a fault has to be served here, however long it takes: of page_mkwrite(), and where the
 * caller keeps its lock. All others may be told to try again, without the lock or at once.
 */
static bool waits_here(const struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_MKWRITE) || !(vmf->flags & FAULT_FLAG_ALLOW_RETRY);
}

/*
 * Whether what takes its time is left to go_on_unlocked(). Once, because an error can only be
 * returned under the lock; who is not INTERRUPTIBLE does not tell that it tries again, such as
 * mlock(2), and would do so for ever. Or to nobody, where even that is not wanted.
 */
static bool first_try(const struct vm_fault *vmf)
{
	if (waits_here(vmf))
		return false;
	return (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) ||
	       ((vmf->flags & FAULT_FLAG_INTERRUPTIBLE) && !(vmf->flags & FAULT_FLAG_TRIED));
}

/*
 * What the host maps already only has to be linked. What it does not it faults in first, which the
 * slot may have to be linked for once more, or for the first time. Host mmap_lock held; returns
 * what handle_mm_fault() does.
 */
static vm_fault_t link_or_fault(struct mshim_link *link, const struct vm_fault *vmf,
				struct vm_area_struct *host, unsigned long seq,
				unsigned int tries, enum outcome *outcome)
{
	unsigned long addr = mshim_host_addr(link->view, vmf->pgoff);
	vm_fault_t ret;

	*outcome = try_link(link, vmf, host, addr, seq);
	if (*outcome != MISSING && *outcome != HINTS)
		return *outcome == UNFIT ? VM_FAULT_SIGBUS : 0;
	if (first_try(vmf))
		return 0;
	if (*outcome == HINTS)
		ret = mshim_hints_resolve(link->view, addr, fault_flags(vmf, tries));
	else
		ret = host_fault(link->view, host, vmf, tries);
	if (dropped_lock(ret))
		*outcome = AGAIN;
	else if (!(ret & VM_FAULT_ERROR))
		*outcome = try_link(link, vmf, host, addr, seq);
	if (*outcome == MISSING || *outcome == HINTS)
		*outcome = DONE; /* gone again, or there: so is the access repeated */
	return *outcome == UNFIT ? VM_FAULT_SIGBUS : ret;
}

/*
 * The host's mmap_lock, inside the attached one: a host is never attached, so the order has no
 * cycle. Not waited for in a first try: who has it may be waiting for us (walkers.c).
 */
static bool lock_host(struct mm_struct *mm, const struct vm_fault *vmf, enum outcome *outcome)
{
	bool locked;

	if (first_try(vmf)) {
		locked = mmap_read_trylock(mm);
		*outcome = locked ? DONE : MISSING;
	} else {
		locked = !mshim_mmap_read_lock_nested(mm);
		*outcome = locked ? DONE : BUSY; /* killed */
	}
	return locked;
}

static vm_fault_t fault_once(struct mshim_link *link, const struct vm_fault *vmf,
			     unsigned int tries, enum outcome *outcome)
{
	struct mshim_view *view = link->view;
	struct vm_area_struct *vma;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long seq;

	if (!waits_here(vmf) && READ_ONCE(link->zaps)) {
		*outcome = BUSY; /* the next line would wait for its end */
		return 0;
	}
	seq = mmu_interval_read_begin(&link->notifier);
	if (!lock_host(view->mm, vmf, outcome))
		return 0;
	vma = mshim_host_vma(view, mshim_host_addr(view, vmf->pgoff), NULL);
	if (vma && forbids(vma, vmf))
		ret = VM_FAULT_SIGSEGV;
	else if (vma && !mshim_dump_omits(link, vma))
		ret = link_or_fault(link, vmf, vma, seq, tries, outcome);
	if (!dropped_lock(ret))
		mmap_read_unlock(view->mm);
	return ret & VM_FAULT_ERROR;
}

/* What is tried again counts once. */
static void count_fault(struct mshim_view *view, const struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_TRIED)
		return;
	spin_lock(&view->lock);
	view->faults++;
	spin_unlock(&view->lock);
}

/* A fault, or what keeps it from being served here: BLANK, or, unless it waits, MISSING or BUSY. */
static vm_fault_t serve(struct vm_fault *vmf, struct mshim_link *link, enum outcome *outcome)
{
	bool waits = waits_here(vmf);
	unsigned int tries = 0;
	vm_fault_t ret;

	do {
		ret = fault_once(link, vmf, tries++, outcome);
		if (*outcome == BUSY && waits)
			mshim_section_wait(link->view, mshim_host_addr(link->view, vmf->pgoff));
	} while (!ret && (*outcome == AGAIN || (*outcome == BUSY && waits)) &&
		 !fatal_signal_pending(current));
	return ret ?: VM_FAULT_NOPAGE;
}

/* Whether the host has the page by now; false as long as that may change. Host mmap_lock held. */
static bool is_there(struct mshim_view *view, const struct vm_fault *vmf)
{
	unsigned long addr = mshim_host_addr(view, vmf->pgoff);
	bool there;

	spin_lock(&view->lock);
	there = !mshim_invalidating(view, addr) &&
		mshim_mapped(view->mm, addr, vmf->flags & FAULT_FLAG_WRITE);
	spin_unlock(&view->lock);
	return there;
}

/* The page of a fault, for the host alone. What goes wrong is found again by who tries again. */
static void bring_in(struct mshim_view *view, const struct vm_fault *vmf)
{
	unsigned int tries = 0;
	vm_fault_t ret;

	do {
		struct vm_area_struct *vma;

		if (mshim_mmap_read_lock_nested(view->mm))
			return;
		ret = 0;
		vma = mshim_host_vma(view, mshim_host_addr(view, vmf->pgoff), NULL);
		if (vma && !forbids(vma, vmf) && !is_there(view, vmf))
			ret = host_fault(view, vma, vmf, tries++);
		if (!dropped_lock(ret))
			mmap_read_unlock(view->mm);
	} while ((ret & VM_FAULT_RETRY) && !fatal_signal_pending(current));
}

/*
 * Goes on without the attached mmap_lock, as VM_FAULT_RETRY promises, so that neither I/O nor the
 * migration of a page keeps other threads from mapping memory, or a section of the host from
 * emptying slots at once (walkers.c). The link and its VMA may go meanwhile. The file of the VMA
 * keeps the view; a task drops its last reference on the way to user mode, so it keeps this code
 * loaded as well.
 */
static vm_fault_t go_on_unlocked(struct vm_fault *vmf, struct mshim_link *link,
				 enum outcome outcome)
{
	struct file *file = get_file(vmf->vma->vm_file);
	struct mshim_view *view = link->view;
	struct mm_struct *mm = link->mm;

	mmget(view->mm); /* the link has it until the lock is dropped */
	mmap_read_unlock(mm);
	if (outcome == BLANK) {
		mshim_repair(mm, vmf->address);
	} else if (outcome == BUSY) {
		mshim_zaps_wait(view);
		mshim_section_wait(view, mshim_host_addr(view, vmf->pgoff));
	}
	if (first_try(vmf))
		bring_in(view, vmf);
	mshim_host_put(view);
	fput(file);
	return VM_FAULT_RETRY;
}

/* Never under a VMA lock: without map_pages() the core takes the mmap_lock before it calls us. */
vm_fault_t mshim_fault(struct vm_fault *vmf)
{
	struct mshim_link *link = vmf->vma->vm_private_data;
	enum outcome outcome = BLANK;
	vm_fault_t ret = 0;

	if (!link)
		return VM_FAULT_SIGBUS;
	count_fault(link->view, vmf);
	if (link->notified)
		ret = serve(vmf, link, &outcome);
	if ((ret & VM_FAULT_ERROR) || outcome == DONE || outcome == AGAIN)
		return ret;
	if (waits_here(vmf))
		return outcome == BLANK ? mshim_repair_wait(link) : ret;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY; /* with the lock */
	return go_on_unlocked(vmf, link, outcome);
}

/*
 * A write to a page that is mapped read-only: the host makes its own entry writable. The core does
 * not take VM_FAULT_RETRY here; a slot that has become blank meanwhile is met by mshim_fault() when
 * the access is repeated.
 */
vm_fault_t mshim_mkwrite(struct vm_fault *vmf)
{
	struct mshim_link *link = vmf->vma->vm_private_data;
	enum outcome outcome;

	if (!link || !link->notified)
		return VM_FAULT_SIGBUS;
	count_fault(link->view, vmf);
	vmf->flags |= FAULT_FLAG_WRITE;
	return serve(vmf, link, &outcome);
}
