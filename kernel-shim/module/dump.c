// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core dumps: what a host leaves out of its own (MADV_DONTDUMP), attached processes leave out of
 * theirs. One that is about to be dumped learns it from the host's VMAs; so there is nothing to be
 * kept in step, neither at fork nor when a host grows.
 */
#include <linux/sched.h>

#include "mshim.h"

static bool is_dumping(const struct mshim_link *link)
{
	return (current->flags & PF_DUMPCORE) && current->mm == link->mm;
}

/* Whether what current touches is to be left out of its dump. Host mmap_lock held. */
bool mshim_dump_omits(const struct mshim_link *link, const struct vm_area_struct *host)
{
	return (host->vm_flags & VM_DONTDUMP) && is_dumping(link);
}

/*
 * How many bytes of the link's range the host leaves out; slots that it does not map as it should
 * have nothing to be dumped. Host mmap_lock held.
 */
static unsigned long omitted(const struct mshim_link *link)
{
	unsigned long addr = mshim_slot_addr(link->view, link->first);
	unsigned long next, end = addr + (link->nr << PMD_SHIFT);
	unsigned long bytes = 0;

	for (; addr < end; addr = next) {
		struct vm_area_struct *vma = mshim_host_vma(link->view, addr, &next);

		if (!vma)
			next = (addr & PMD_MASK) + PMD_SIZE;
		next = min(next, end);
		if (!vma || (vma->vm_flags & VM_DONTDUMP))
			bytes += next - addr;
	}
	return bytes;
}

/*
 * If current is to be dumped: the core is about to decide what of the link's VMA is, and holds the
 * mmap_lock for writing: the chance to give a link from fork its notifier, which faults of a dump
 * cannot wait for on Linux 6.12. A VMA that is left out in part is unlinked: mshim_fault() then
 * refuses those pages, and links no slot that has some. A process that shares the mm without being
 * of the same thread group runs on meanwhile; what it touches may be linked, and dumped, again.
 */
void mshim_dump_begin(struct mshim_link *link)
{
	unsigned long bytes;

	/*
	 * Without a notifier: no memory, and zeros in the dump. Without the lock: killed, and so is
	 * the dump. The link has mm_users of the host, and goes with its VMA, which we have locked.
	 */
	if (!is_dumping(link) || mshim_link_insert_notifier(link) ||
	    mshim_mmap_read_lock_nested(link->view->mm))
		return;
	bytes = omitted(link);
	mmap_read_unlock(link->view->mm);
	if (bytes == link->nr << PMD_SHIFT)
		vm_flags_set(link->vma, VM_DONTDUMP);
	else if (bytes)
		mshim_zap_vma(link->vma, link->vma->vm_start, link->nr << PMD_SHIFT);
}
