// SPDX-License-Identifier: GPL-2.0-only
/* Views: what a host has registered, found by file, protection and user. */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pkeys.h>
#include <linux/seq_file.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "mshim.h"

static unsigned int views_per_user = 4096;
module_param(views_per_user, uint, 0644);
MODULE_PARM_DESC(views_per_user, "views one user may host (root: unlimited)");

static unsigned int gib_per_user = 16384;
module_param(gib_per_user, uint, 0644);
MODULE_PARM_DESC(gib_per_user, "size of all views of one user, GiB (root: unlimited)");

DEFINE_MUTEX(mshim_views_mutex);		/* which views there are, and of whom */
static DEFINE_HASHTABLE(views_by_inode, 8);	/* mshim_views_mutex */
static DEFINE_HASHTABLE(views_by_mm, 8);	/* mshim_views_mutex */

/* Of a view that is not registered with the host's mm, or not any more. */
static void view_destroy(struct mshim_view *view)
{
	fput(view->backing);
	put_pid(view->host);
	kvfree(view->slots);
	kfree(view);
}

/*
 * The slow half of the last put: unregistering waits for notifier callbacks in progress, and puts
 * may come from where that must not be waited for (the mmap_lock of an attached process).
 */
static void view_free(struct work_struct *work)
{
	struct mshim_view *view = container_of(work, struct mshim_view, free_work);

	mutex_lock(&mshim_views_mutex);
	hash_del(&view->by_mm);
	mutex_unlock(&mshim_views_mutex);
	mmu_notifier_unregister(&view->notifier, view->mm);
	WARN_ON_ONCE(!list_empty(&view->links) || view->nr_entries || view->nr_tables);
	view_destroy(view);
}

static void view_release(struct kref *ref)
{
	struct mshim_view *view = container_of(ref, struct mshim_view, ref);

	queue_work(mshim_free_workqueue, &view->free_work);
}

void mshim_view_put(struct mshim_view *view)
{
	kref_put(&view->ref, view_release);
}

/* As the caller sees it, or 0. A process that is gone has left a number that another may have. */
pid_t mshim_view_host(const struct mshim_view *view)
{
	return pid_has_task(view->host, PIDTYPE_TGID) ? pid_vnr(view->host) : 0;
}

bool mshim_hosts_views(const struct mm_struct *mm)
{
	struct mshim_view *view;

	lockdep_assert_held(&mshim_views_mutex);
	hash_for_each_possible(views_by_mm, view, by_mm, (unsigned long)mm) {
		if (view->mm == mm)
			return true;
	}
	return false;
}

bool mshim_is_host(struct mm_struct *mm)
{
	bool found;

	mutex_lock(&mshim_views_mutex);
	found = mshim_hosts_views(mm);
	mutex_unlock(&mshim_views_mutex);
	return found;
}

/* Whether the file is attached through views that the host of this one has no say in. */
bool mshim_view_has_others(const struct mshim_view *view)
{
	struct mshim_view *other;
	int bucket;

	lockdep_assert_held(&mshim_views_mutex);
	hash_for_each(views_by_mm, bucket, other, by_mm) {
		if (file_inode(other->backing) == file_inode(view->backing) &&
		    other->control != view->control && atomic_read(&other->users))
			return true;
	}
	return false;
}

static struct mshim_view *lookup(struct inode *inode, bool writable, kuid_t uid)
{
	struct mshim_view *view;

	lockdep_assert_held(&mshim_views_mutex);
	hash_for_each_possible(views_by_inode, view, by_inode, (unsigned long)inode) {
		if (file_inode(view->backing) == inode && view->writable == writable &&
		    uid_eq(view->uid, uid) && !READ_ONCE(view->dead))
			return view;
	}
	return NULL;
}

/*
 * The view this caller may attach to: hosted by its own user, by the file's owner, or by root. The
 * caller's right to the file is checked by who has the descriptor (main.c).
 */
struct mshim_view *mshim_view_find(struct file *file, u32 prot)
{
	struct inode *inode = file_inode(file);
	kuid_t trusted[] = { current_euid(), inode->i_uid, GLOBAL_ROOT_UID };
	struct mshim_view *view = NULL;
	int i;

	mutex_lock(&mshim_views_mutex);
	for (i = 0; i < ARRAY_SIZE(trusted) && !view; i++)
		view = lookup(inode, prot & MSHARE_VIEW_WRITE, trusted[i]);
	if (view)
		kref_get(&view->ref);
	mutex_unlock(&mshim_views_mutex);
	return view;
}

/*
 * Views cost memory by their size, touched or not. Also those count that nobody finds any more:
 * links keep them. view_free() has yet to take away those without a reference.
 */
static bool too_many(const struct mshim_view *another)
{
	unsigned long slots = another->nr_slots;
	struct mshim_view *view;
	unsigned int count = 0;
	int bucket;

	if (uid_eq(another->uid, GLOBAL_ROOT_UID))
		return false;
	hash_for_each(views_by_mm, bucket, view, by_mm) {
		if (uid_eq(view->uid, another->uid) && kref_read(&view->ref)) {
			slots += view->nr_slots;
			count++;
		}
	}
	return count >= views_per_user || slots > (u64)gib_per_user << (30 - PMD_SHIFT);
}

/*
 * Whether vma is an ordinary shared mapping of this file that allows no more than the view does: a
 * host may protect a part, for all who are attached. mmap_lock of its mm held. VM_SHARED: to a
 * mapping of a descriptor that is not open for writing the OOM reaper does as to a private one, and
 * once the host is a victim it cannot fault there any more. Execution and protection keys are in
 * the entries themselves and would reach attached processes, whose own VMAs have neither.
 */
bool mshim_maps_file(struct vm_area_struct *vma, const struct file *file, bool writable)
{
	return vma->vm_file && file_inode(vma->vm_file) == file_inode(file) &&
	       (vma->vm_flags & VM_SHARED) &&
	       !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_EXEC)) &&
	       (writable || !(vma->vm_flags & VM_WRITE)) && !vma_pkey(vma) &&
	       !is_vm_hugetlb_page(vma) && !userfaultfd_armed(vma);
}

static pgoff_t pgoff_at(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* One mapping that allows what the view does; or one that a host has protected parts of. */
static bool maps_range(struct mm_struct *mm, const struct mshare_ctl_create *arg,
		       const struct file *file, pgoff_t pgoff)
{
	vm_flags_t rights = arg->prot & MSHARE_VIEW_WRITE ? VM_READ | VM_WRITE : VM_READ;
	unsigned long addr, end = arg->addr + arg->len;
	struct vm_area_struct *vma;

	for (addr = arg->addr; addr < end; addr = vma->vm_end) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start > addr ||
		    !mshim_maps_file(vma, file, arg->prot & MSHARE_VIEW_WRITE) ||
		    pgoff_at(vma, addr) != pgoff + ((addr - arg->addr) >> PAGE_SHIFT))
			return false;
		if (!(arg->flags & MSHARE_CREATE_REPLACE) &&
		    (vma->vm_end < end || (vma->vm_flags & (VM_READ | VM_WRITE)) != rights))
			return false;
	}
	return true;
}

static int check_mapping(struct mm_struct *mm, const struct mshare_ctl_create *arg,
			 struct file *file, pgoff_t *pgoff)
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
		*pgoff = pgoff_at(vma, arg->addr);
		if (IS_ALIGNED(*pgoff << PAGE_SHIFT, PMD_SIZE) && maps_range(mm, arg, file, *pgoff))
			err = 0;
	}
	mmap_read_unlock(mm);
	return err;
}

static struct mshim_view *view_alloc(const struct mshare_ctl_create *arg, struct file *file,
				     pgoff_t pgoff)
{
	struct mshim_view *view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);

	if (!view)
		return NULL;
	view->nr_slots = arg->len >> PMD_SHIFT;
	view->slots = kvcalloc(view->nr_slots, sizeof(*view->slots),
			       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!view->slots) {
		kfree(view);
		return NULL;
	}
	kref_init(&view->ref);
	INIT_WORK(&view->free_work, view_free);
	spin_lock_init(&view->lock);
	init_waitqueue_head(&view->wait);
	INIT_LIST_HEAD(&view->links);
	INIT_LIST_HEAD(&view->zap_list);
	INIT_LIST_HEAD(&view->zaps);
	INIT_LIST_HEAD(&view->rounds);
	view->backing = get_file(file);
	view->uid = current_euid();
	view->writable = arg->prot & MSHARE_VIEW_WRITE;
	view->mm = current->mm;
	view->host = get_pid(task_tgid(current));
	view->start = arg->addr;
	view->end = arg->addr + arg->len;
	view->pgoff = pgoff;
	view->notifier.ops = &mshim_host_ops;
	return view;
}

static void unpublish(struct mshim_view *view)
{
	list_del(&view->of_control);
	view->control = NULL;
	hash_del(&view->by_inode);
	hash_del(&view->by_mm);
}

/*
 * Seen as a host first, then looked at: mmap() does it in the other order, so one of us notices. A
 * view that is replaced stays for its links, and counts for WAIT.
 */
static int publish(struct mshim_control *control, struct mshim_view *view, bool replace)
{
	struct inode *inode = file_inode(view->backing);
	struct mshim_view *old;
	int err = 0;

	mutex_lock(&mshim_views_mutex);
	old = lookup(inode, view->writable, view->uid);
	if (old && !(replace && old->control == control)) {
		err = -EEXIST;
	} else if (too_many(view)) {
		err = -EUSERS;
	} else {
		hash_add(views_by_inode, &view->by_inode, (unsigned long)inode);
		hash_add(views_by_mm, &view->by_mm, (unsigned long)view->mm);
		list_add(&view->of_control, &control->views);
		view->control = control;
		if (mshim_is_attached(view->mm)) {
			unpublish(view);
			err = -EBUSY;
		} else if (old) {
			hash_del(&old->by_inode);
		}
	}
	mutex_unlock(&mshim_views_mutex);
	return err;
}

int mshim_view_create(struct mshim_control *control, const struct mshare_ctl_create *arg,
		      struct file *file)
{
	struct mshim_view *view;
	pgoff_t pgoff;
	int err = check_mapping(current->mm, arg, file, &pgoff);

	if (err)
		return err;
	view = view_alloc(arg, file, pgoff);
	if (!view)
		return -ENOMEM;
	err = mmu_notifier_register(&view->notifier, view->mm);
	if (!err) {
		err = publish(control, view, arg->flags & MSHARE_CREATE_REPLACE);
		if (err)
			mmu_notifier_unregister(&view->notifier, view->mm);
	}
	if (err)
		view_destroy(view);
	return err;
}

/* The host leaves: nobody finds its views any more. Who is attached stays so. */
void mshim_control_close(struct mshim_control *control)
{
	struct mshim_view *view, *next;

	mutex_lock(&mshim_views_mutex);
	list_for_each_entry_safe(view, next, &control->views, of_control) {
		list_del(&view->of_control);
		view->control = NULL;
		hash_del(&view->by_inode);
		mshim_view_put(view);
	}
	mshim_requests_end(control);
	mutex_unlock(&mshim_views_mutex);
}

unsigned int mshim_control_users(struct mshim_control *control)
{
	struct mshim_view *view;
	unsigned int count = 0;

	lockdep_assert_held(&mshim_views_mutex);
	list_for_each_entry(view, &control->views, of_control)
		count += atomic_read(&view->users);
	return count;
}

/* Until nobody has used a view for linger_ms, looked at once in that time. */
long mshim_control_wait(struct mshim_control *control, u32 linger_ms)
{
	unsigned long step = max(msecs_to_jiffies(linger_ms), 1UL);
	bool idle = false;

	if (list_empty_careful(&control->views))
		return -EINVAL;
	for (;;) {
		bool used;

		mutex_lock(&mshim_views_mutex);
		used = mshim_control_users(control);
		mutex_unlock(&mshim_views_mutex);
		if (!used && idle)
			return 0;
		idle = !used;
		if (schedule_timeout_interruptible(step))
			return -EINTR;
	}
}

void mshim_views_show(struct seq_file *out)
{
	struct mshim_view *view;
	int bucket;

	mutex_lock(&mshim_views_mutex);
	hash_for_each(views_by_mm, bucket, view, by_mm) {
		const struct inode *inode = file_inode(view->backing);
		dev_t dev = inode->i_sb->s_dev;

		spin_lock(&view->lock);
		seq_printf(out, "%u %s %u %lu %lu %llu %llu %llu ",
			   from_kuid_munged(seq_user_ns(out), view->uid),
			   view->writable ? "rw" : "r", view->nr_links, view->nr_tables,
			   view->nr_entries, view->faults, view->invalidations, view->flushes);
		spin_unlock(&view->lock);
		seq_printf(out, "%02x:%02x %lu ", MAJOR(dev), MINOR(dev), inode->i_ino);
		seq_file_path(out, view->backing, " \t\n\\");
		seq_putc(out, '\n');
	}
	mutex_unlock(&mshim_views_mutex);
}
