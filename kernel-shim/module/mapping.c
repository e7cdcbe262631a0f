// SPDX-License-Identifier: GPL-2.0-only
/* Whether a host maps what it promises: when it makes a view, and at each fault. */
#include <linux/hugetlb.h>
#include <linux/pkeys.h>
#include <linux/userfaultfd_k.h>

#include "mshim.h"

/*
 * Whether vma is an ordinary shared mapping of a file that allows no more than the view does: a
 * host may protect a piece, for all who are attached. mmap_lock of its mm held. VM_SHARED: to a
 * mapping of a descriptor that is not open for writing the OOM reaper does as to a private one, and
 * once the host is a victim it cannot fault there any more. Execution and protection keys are in
 * the entries themselves and would reach attached processes, whose own VMAs have neither.
 */
static bool is_ordinary(struct vm_area_struct *vma, bool writable)
{
	return vma->vm_file && (vma->vm_flags & VM_SHARED) &&
	       !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_EXEC)) &&
	       (writable || !(vma->vm_flags & VM_WRITE)) && !vma_pkey(vma) &&
	       !is_vm_hugetlb_page(vma) && !userfaultfd_armed(vma);
}

/*
 * The host's VMA over addr, if the host still maps there what the view promises. It is the host's
 * own process and may remap what it likes: it then only gets those who trust it a SIGBUS. *end,
 * unless NULL: up to where in that VMA this is so. Host mmap_lock held.
 */
struct vm_area_struct *mshim_host_vma(const struct mshim_view *view, unsigned long addr,
				      unsigned long *end)
{
	struct vm_area_struct *vma = READ_ONCE(view->dead) ? NULL : find_vma(view->mm, addr);
	struct mshim_place place = {
		.vma = vma,
		.addr = addr,
		.backing = view->backing,
		.pgoff = view->pgoff + ((addr - view->start) >> PAGE_SHIFT),
	};
	pgoff_t last;

	if (!vma || vma->vm_start > addr || !is_ordinary(vma, view->writable) ||
	    !mshim_parts_fit(view->parts, &place, &last))
		return NULL;
	if (end)
		*end = mshim_place_end(&place, last);
	return vma;
}

/* Where the VMA of a place ends, or the page of the region after last is. */
unsigned long mshim_place_end(const struct mshim_place *place, pgoff_t last)
{
	unsigned long pages = (place->vma->vm_end - (place->addr & PAGE_MASK)) >> PAGE_SHIFT;

	if (last - place->pgoff >= pages)
		return place->vma->vm_end;
	return (place->addr & PAGE_MASK) + ((last - place->pgoff + 1) << PAGE_SHIFT);
}

/* One mapping that allows what the view does; or one that a host has protected pieces of. */
static bool maps_range(struct mm_struct *mm, const struct mshare_ctl_create *arg,
		       const struct file *file, pgoff_t pgoff, struct mshim_parts *parts)
{
	vm_flags_t rights = arg->prot & MSHARE_VIEW_WRITE ? VM_READ | VM_WRITE : VM_READ;
	unsigned long addr, end = arg->addr + arg->len;

	for (addr = arg->addr; addr < end;) {
		struct mshim_place place = {
			.vma = find_vma(mm, addr),
			.addr = addr,
			.backing = file,
			.pgoff = pgoff + ((addr - arg->addr) >> PAGE_SHIFT),
		};
		struct vm_area_struct *vma = place.vma;
		pgoff_t last;

		if (!vma || vma->vm_start > addr ||
		    !is_ordinary(vma, arg->prot & MSHARE_VIEW_WRITE) ||
		    !mshim_parts_fit(parts, &place, &last))
			return false;
		if (!(arg->flags & MSHARE_CREATE_REPLACE) &&
		    (vma->vm_end < end || (vma->vm_flags & (VM_READ | VM_WRITE)) != rights))
			return false;
		addr = mshim_place_end(&place, last);
	}
	return true;
}

/*
 * Whether the range is mapped as parts say, and from where on in the file. *pgoff is that of the
 * caller's other views of the file, which tells where a mapping begins whose first page is of a
 * part.
 */
int mshim_check_mapping(struct mm_struct *mm, const struct mshare_ctl_create *arg,
			const struct file *file, struct mshim_parts *parts, pgoff_t *pgoff)
{
	unsigned long end = arg->addr + arg->len;
	struct vm_area_struct *vma;
	int err = -EINVAL;

	if (!arg->len || end < arg->addr || end > TASK_SIZE ||
	    !IS_ALIGNED(arg->addr | arg->len, PMD_SIZE))
		return -EINVAL;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = find_vma(mm, arg->addr);
	if (vma && vma->vm_start <= arg->addr) {
		if (!mshim_parts_any(parts))
			*pgoff = mshim_pgoff_at(vma, arg->addr);
		if (IS_ALIGNED(*pgoff << PAGE_SHIFT, PMD_SIZE) &&
		    maps_range(mm, arg, file, *pgoff, parts))
			err = 0;
	}
	mmap_read_unlock(mm);
	return err;
}
