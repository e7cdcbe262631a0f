/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Force-included. Gives every kernel the names the code uses, which are those of the newest one.
 * What a kernel has is found out by compiling (Kbuild), never from its version.
 */
#ifndef _MSHIM_COMPAT_H
#define _MSHIM_COMPAT_H

#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>

#ifndef MSHIM_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* A lock for each page table: an option since 6.12, before a macro of mm_types_task.h. */
#if defined(CONFIG_SPLIT_PTE_PTLOCKS) && defined(CONFIG_SPLIT_PMD_PTLOCKS)
#define MSHIM_SPLIT_PTLOCKS
#elif defined(USE_SPLIT_PTE_PTLOCKS) && defined(USE_SPLIT_PMD_PTLOCKS)
#if USE_SPLIT_PTE_PTLOCKS && USE_SPLIT_PMD_PTLOCKS
#define MSHIM_SPLIT_PTLOCKS
#endif
#endif

/* vm_operations_struct.get_policy has a third parameter since 6.7. */
#ifdef MSHIM_HAVE_POLICY_ILX
#define MSHIM_GET_POLICY_ILX , pgoff_t *ilx
#else
#define MSHIM_GET_POLICY_ILX
#endif

static inline void mshim_zap_vma(struct vm_area_struct *vma, unsigned long start,
				 unsigned long size)
{
#ifdef MSHIM_HAVE_ZAP_PAGE_RANGE
	zap_page_range(vma, start, size);
#else
	zap_page_range_single(vma, start, size, NULL);
#endif
}

static inline long mshim_get_page(struct mm_struct *mm, unsigned long addr, bool write,
				  struct page **page)
{
	unsigned int flags = write ? FOLL_WRITE : 0;

#ifdef MSHIM_HAVE_GUP_WITHOUT_VMAS
	return get_user_pages_remote(mm, addr, 1, flags, page, NULL);
#else
	return get_user_pages_remote(mm, addr, 1, flags, page, NULL, NULL);
#endif
}

/* Whether memory that mm needs is charged to the cgroup of a process: not once that has ended. */
static inline bool mshim_mm_pays(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return rcu_access_pointer(mm->owner);
#else
	return true;
#endif
}

/*
 * Whether an IOMMU walks the page tables of mm that hears of flushes only. Before there was such a
 * one they all were notifiers, and told at the end of each section.
 */
static inline bool mshim_devices_walk(struct mm_struct *mm)
{
#ifdef MSHIM_HAVE_MM_VALID_PASID
	return mm_valid_pasid(mm);
#else
	return false;
#endif
}

/* A new descriptor of a file from another process, as security modules let. */
static inline int mshim_receive_fd(struct file *file, unsigned int flags)
{
#ifdef MSHIM_HAVE_RECEIVE_FD_USER
	return receive_fd(file, NULL, flags);
#else
	return receive_fd(file, flags);
#endif
}

/* The mmap_lock of a host, inside that of an attached process: see the lock order in mshim.h. */
static inline int mshim_mmap_read_lock_nested(struct mm_struct *mm)
{
	return down_read_killable_nested(&mm->mmap_lock, SINGLE_DEPTH_NESTING);
}

#endif
