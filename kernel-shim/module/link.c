// SPDX-License-Identifier: GPL-2.0-only
/* Links: attached mappings, from mmap() or fork to the end of their VMA. */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mshim.h"

static unsigned int links_per_view = 1 << 16;
module_param(links_per_view, uint, 0644);
MODULE_PARM_DESC(links_per_view, "attached mappings one view may have");

static DEFINE_SPINLOCK(mshim_links_lock);
static DEFINE_HASHTABLE(links_by_mm, 10);	/* mshim_links_lock */

bool mshim_is_attached(struct mm_struct *mm)
{
	struct mshim_link *link;
	bool found = false;

	spin_lock(&mshim_links_lock);
	hash_for_each_possible(links_by_mm, link, by_mm, (unsigned long)mm)
		found |= link->mm == mm;
	spin_unlock(&mshim_links_lock);
	return found;
}

static struct mshim_link *link_alloc(struct mshim_view *view, struct vm_area_struct *vma)
{
	unsigned long nr = (vma->vm_end - vma->vm_start) >> PMD_SHIFT;
	size_t bits = BITS_TO_LONGS(nr) * sizeof(long);
	struct mshim_link *link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);

	if (!link)
		return NULL;
	link->filled = kvzalloc(2 * bits, GFP_KERNEL_ACCOUNT);
	if (!link->filled) {
		kfree(link);
		return NULL;
	}
	link->blank = link->filled + BITS_TO_LONGS(nr);
	link->view = view;
	link->vma = vma;
	link->mm = vma->vm_mm;
	link->first = ((vma->vm_pgoff - view->pgoff) << PAGE_SHIFT) >> PMD_SHIFT;
	link->nr = nr;
	INIT_LIST_HEAD(&link->zap_node);
	return link;
}

static void link_free(struct mshim_link *link)
{
	kvfree(link->filled);
	kfree(link);
}

/* The caller holds a reference on the view and on its mm for the link to take over. */
static int link_add(struct mshim_link *link)
{
	struct mshim_view *view = link->view;
	int err = 0;

	spin_lock(&view->lock);
	if (view->nr_links >= links_per_view) {
		err = -EUSERS;
	} else {
		view->nr_links++;
		list_add(&link->node, &view->links);
	}
	spin_unlock(&view->lock);
	if (err)
		return err;
	atomic_inc(&view->users);
	spin_lock(&mshim_links_lock);
	hash_add(links_by_mm, &link->by_mm, (unsigned long)link->mm);
	spin_unlock(&mshim_links_lock);
	return 0;
}

static void link_remove(struct mshim_link *link)
{
	struct mshim_view *view = link->view;

	spin_lock(&mshim_links_lock);
	hash_del(&link->by_mm);
	spin_unlock(&mshim_links_lock);
	spin_lock(&view->lock);
	list_del(&link->node);
	view->nr_links--;
	spin_unlock(&view->lock);
	if (atomic_dec_and_test(&view->users))
		wake_up_all(&view->wait);
}

/* The attached mmap_lock is held for writing. */
int mshim_link_insert_notifier(struct mshim_link *link)
{
	int err;

	lockdep_assert_held_write(&link->mm->mmap_lock);
	if (link->notified)
		return 0;
	err = mmu_interval_notifier_insert_locked(&link->notifier, link->mm, link->vma->vm_start,
						  link->nr << PMD_SHIFT, &mshim_link_ops);
	if (!err)
		link->notified = true;
	return err;
}

void mshim_host_put_work(struct work_struct *work)
{
	struct mshim_view *view = container_of(work, struct mshim_view, put_work);

	mmput(view->mm);
	mshim_view_put(view);
}

/*
 * Drops mm_users of the host. The address space of one that was killed goes with the last: as that
 * may take long, it is left to a worker of ours, which unlike that of mmput_async() is not bound to
 * a CPU. The work is not queued yet: if it were it would have a reference as well. The caller has
 * one on the view.
 */
void mshim_host_put(struct mshim_view *view)
{
	if (atomic_add_unless(&view->mm->mm_users, -1, 1))
		return;
	kref_get(&view->ref);
	WARN_ON_ONCE(!queue_work(mshim_free_workqueue, &view->put_work));
}

/*
 * A copy of the VMA: fork, or mremap(), which then fails in mshim_mremap(). The copy starts with
 * empty slots, its notifier is inserted at the first fault: a child that only calls exec pays
 * nothing. open() cannot fail: a copy without a link gets SIGBUS when it is touched.
 */
static void mshim_open(struct vm_area_struct *vma)
{
	struct mshim_link *from = vma->vm_private_data;
	struct mshim_link *link = from ? link_alloc(from->view, vma) : NULL;

	vma->vm_private_data = NULL;
	/*
	 * No copies of the host's entries, in tables of the child: fork makes some of what is
	 * write-protected by userfaultfd(2), which some 6.12.y allow here. It looks after open().
	 */
	vm_flags_set(vma, VM_WIPEONFORK);
	if (!link)
		return;
	/* The link we copy holds both; its VMA cannot go while it is being copied. */
	kref_get(&link->view->ref);
	mmget(link->view->mm);
	if (link_add(link)) {
		mshim_host_put(link->view);
		mshim_view_put(link->view);
		link_free(link);
		return;
	}
	vma->vm_private_data = link;
}

/* After the interval notifier has seen UNMAP or RELEASE: the slots are empty, no zap is left. */
static void mshim_close(struct vm_area_struct *vma)
{
	struct mshim_link *link = vma->vm_private_data;
	struct mshim_view *view;

	if (!link)
		return;
	view = link->view;
	if (link->notified)
		mmu_interval_notifier_remove(&link->notifier);
	WARN_ON_ONCE(link->nr_filled || link->nr_blank || link->zaps ||
		     !list_empty(&link->zap_node));
	link_remove(link);
	link_free(link);
	mshim_host_put(view);
	mshim_view_put(view);
}

static int mshim_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int mshim_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int mshim_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  unsigned long newflags)
{
	return -EACCES;
}

/*
 * The first thing a core dump asks of a VMA, and of one with a file nobody else does, which has its
 * path for a name. NULL: to be dumped as its flags say.
 */
static const char *mshim_name(struct vm_area_struct *vma)
{
	struct mshim_link *link = vma->vm_private_data;

	if (link)
		mshim_dump_begin(link);
	return NULL;
}

#ifdef CONFIG_NUMA
/*
 * Pages are placed by the host's policy. This one has no MPOL_F_MOF, so that NUMA balancing leaves
 * the VMA alone, which it would not for want of a policy: then it goes by the task's.
 */
static struct mempolicy host_decides = {
	.refcnt = ATOMIC_INIT(1),
	.mode = MPOL_LOCAL,
};

static int mshim_set_policy(struct vm_area_struct *vma, struct mempolicy *policy)
{
	return -EINVAL;
}

static struct mempolicy *mshim_get_policy(struct vm_area_struct *vma,
					  unsigned long addr MSHIM_GET_POLICY_ILX)
{
	return &host_decides;
}
#endif

/* get_mempolicy(2) keeps a reference for a while after the VMA may be gone. */
void mshim_links_exit(void)
{
#ifdef CONFIG_NUMA
	while (atomic_read(&host_decides.refcnt) > 1)
		msleep(20);
#endif
}

static const struct vm_operations_struct mshim_vm_ops = {
	.open = mshim_open,
	.close = mshim_close,
	.may_split = mshim_may_split,
	.mremap = mshim_mremap,
	.mprotect = mshim_mprotect,
	.fault = mshim_fault,
	.page_mkwrite = mshim_mkwrite,
	.pfn_mkwrite = mshim_mkwrite,
	.access = mshim_access,
	.name = mshim_name,
#ifdef CONFIG_NUMA
	.set_policy = mshim_set_policy,
	.get_policy = mshim_get_policy,
#endif
};

/* The link of a VMA, NULL if it is not attached. Its mmap_lock is held. */
struct mshim_link *mshim_link_of(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &mshim_vm_ops ? vma->vm_private_data : NULL;
}

static int check_vma(const struct mshim_view *view, const struct vm_area_struct *vma)
{
	unsigned long pages = vma_pages((struct vm_area_struct *)vma);
	unsigned long all = view->nr_slots << (PMD_SHIFT - PAGE_SHIFT);

	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC) ||
	    !IS_ALIGNED(vma->vm_start | vma->vm_end | vma->vm_pgoff << PAGE_SHIFT, PMD_SIZE))
		return -EINVAL;
	if (vma->vm_pgoff < view->pgoff || vma->vm_pgoff - view->pgoff > all ||
	    pages > all - (vma->vm_pgoff - view->pgoff))
		return -ENXIO;
	/* Exactly the view's: writable tables must never hang in a process that may only read. */
	if (!(vma->vm_flags & VM_READ) || !!(vma->vm_flags & VM_WRITE) != view->writable)
		return -EACCES;
	return 0;
}

/* With a reference on the view's mm, which the link takes over. */
static int link_make(struct mshim_view *view, struct vm_area_struct *vma)
{
	struct mshim_link *link = link_alloc(view, vma);
	int err;

	if (!link)
		return -ENOMEM;
	err = link_add(link);
	if (err)
		goto free;
	err = mshim_is_host(link->mm) ? -EBUSY : mshim_link_insert_notifier(link);
	if (err)
		goto remove;
	kref_get(&view->ref);
	vma->vm_private_data = link;
	return 0;
remove:
	link_remove(link);
free:
	link_free(link);
	return err;
}

static int mshim_attach_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mshim_view *view = file->private_data;
	int err = check_vma(view, vma);

	/* Seals and the like may have come after ATTACH, which this descriptor may outlive. */
	if (!err)
		err = mshim_may_map(view->backing, view->writable);
	if (err)
		return err;
	if (!mmget_not_zero(view->mm))
		return -ENOENT;
	err = link_make(view, vma);
	if (err) {
		mshim_host_put(view);
		return err;
	}
	vm_flags_set(vma, VM_DONTEXPAND);
	vm_flags_clear(vma, view->writable ? VM_MAYEXEC : VM_MAYEXEC | VM_MAYWRITE);
	vma->vm_ops = &mshim_vm_ops;
	return 0;
}

static int mshim_attach_release(struct inode *inode, struct file *file)
{
	struct mshim_view *view = file->private_data;

	if (atomic_dec_and_test(&view->users))
		wake_up_all(&view->wait);
	mshim_view_put(view);
	return 0;
}

/* msync(2) of an attached mapping: offsets are the backing file's, and so is what is dirty. */
static int mshim_attach_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct mshim_view *view = file->private_data;
	int err = vfs_fsync_range(view->backing, start, end, datasync);

	return mshim_parts_fsync(view->parts, start, end, datasync) ?: err;
}

const struct file_operations mshim_attach_fops = {
	.owner = THIS_MODULE,
	.mmap = mshim_attach_mmap,
	.fsync = mshim_attach_fsync,
	.release = mshim_attach_release,
};

/* One whole attached mapping; vm_munmap() alone would also take anything else. */
int mshim_detach(unsigned long addr, unsigned long len)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool whole;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = find_vma(mm, addr);
	whole = vma && vma->vm_ops == &mshim_vm_ops && vma->vm_start == addr &&
		vma->vm_end - vma->vm_start == len;
	mmap_read_unlock(mm);
	/* Another thread may map something else here meanwhile: as for any munmap(2). */
	return whole ? vm_munmap(addr, len) : -EINVAL;
}
