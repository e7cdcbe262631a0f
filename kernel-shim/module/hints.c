// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hints of NUMA balancing: entries that the core makes inaccessible for a while, to see who uses a
 * page. Who resolves one clears the entry for a moment, under the lock of its table. Where a walk
 * may hold the lock of another table (walkers.c), two could do so at once, and one of them would
 * take the cleared entry for the page's. So there a table with hints is not linked: the host is
 * made to resolve them first.
 *
 * Only sections of the host bring hints, or make room for tables that have some, as mremap(2) does.
 * So a table that was once seen without them is linked unseen until the next section over it.
 */
#include "mshim.h"

#ifndef MSHIM_WALKERS_RECHECK

/* A section begins over slots [first, last] of the view. view->lock held. */
void mshim_hints_expect(struct mshim_view *view, unsigned long first, unsigned long last)
{
	lockdep_assert_held(&view->lock);
	for (; first <= last; first++)
		view->slots[first].no_hints = false;
}

/*
 * Whether the host's table for addr has hints. view->lock held, and no section is over the slot;
 * the host's mmap_lock and the VMAs over all of the slot keep the table. Its lock, because
 * madvise(2) takes entries away for a moment without a section. Taken inside that of an attached
 * table: the host's is never held where one of those is taken.
 */
bool mshim_hints_any(struct mshim_view *view, unsigned long addr, pmd_t entry)
{
	struct mshim_slot *slot = &view->slots[mshim_slot_of(view, addr)];
	bool any = false;
	pte_t *pte;
	int i;

	lockdep_assert_held(&view->lock);
	if (slot->no_hints || pmd_trans_huge(entry))
		return false;
	pte = pte_offset_kernel(&entry, 0);
	spin_lock_nested(pte_lockptr(view->mm, &entry), SINGLE_DEPTH_NESTING);
	for (i = 0; i < PTRS_PER_PTE && !any; i++)
		any = pte_protnone(READ_ONCE(pte[i]));
	spin_unlock(pte_lockptr(view->mm, &entry));
	slot->no_hints = !any;
	return any;
}

/* The host's mmap_lock keeps its tables: here they are only replaced, or freed, under it. */
static bool is_hint(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = mshim_pmd_lookup(mm, addr);
	pmd_t entry = pmd ? READ_ONCE(*pmd) : __pmd(0);

	return mshim_pmd_linkable(entry) && !pmd_trans_huge(entry) &&
	       pte_protnone(READ_ONCE(*pte_offset_kernel(&entry, addr)));
}

/*
 * The host resolves those in the slot of addr, until that drops the mmap_lock: VM_FAULT_RETRY or
 * VM_FAULT_COMPLETED. An error is not for whoever touched another page; what has one is no hint any
 * more. To be read only: some may be in VMAs that allow no more. Host mmap_lock held.
 */
vm_fault_t mshim_hints_resolve(struct mshim_view *view, unsigned long addr, unsigned int flags)
{
	unsigned long end;

	addr &= PMD_MASK;
	for (end = addr + PMD_SIZE; addr < end; addr += PAGE_SIZE) {
		struct vm_area_struct *vma = mshim_host_vma(view, addr, NULL);
		vm_fault_t ret = 0;

		if (vma && (vma->vm_flags & VM_READ) && is_hint(view->mm, addr))
			ret = handle_mm_fault(vma, addr, flags & ~FAULT_FLAG_WRITE, NULL);
		if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
			return ret;
	}
	return 0;
}

#endif
