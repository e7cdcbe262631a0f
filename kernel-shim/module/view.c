// SPDX-License-Identifier: GPL-2.0-only
/* Views: what a host has registered, found by file, protection and user. */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

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
	mshim_parts_put(view->parts);
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

/* inode: NULL for any. */
bool mshim_hosts_file(const struct mm_struct *mm, const struct inode *inode)
{
	struct mshim_view *view;

	lockdep_assert_held(&mshim_views_mutex);
	hash_for_each_possible(views_by_mm, view, by_mm, (unsigned long)mm) {
		if (view->mm == mm && (!inode || file_inode(view->backing) == inode))
			return true;
	}
	return false;
}

bool mshim_is_host(struct mm_struct *mm)
{
	bool found;

	mutex_lock(&mshim_views_mutex);
	found = mshim_hosts_file(mm, NULL);
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

/* By its own user, by the file's owner, or by root. */
static bool is_trusted(const struct inode *inode, kuid_t uid)
{
	return uid_eq(uid, current_euid()) || uid_eq(uid, inode->i_uid) ||
	       uid_eq(uid, GLOBAL_ROOT_UID);
}

/*
 * A view of the file that has parts, and a host, or users that it has left behind: whoever is to
 * see the same as they must not get another one. NULL: there is none that this caller trusts.
 */
static struct mshim_view *with_parts(const struct inode *inode)
{
	struct mshim_view *view;
	int bucket;

	lockdep_assert_held(&mshim_views_mutex);
	if (!mshim_parts_anywhere())
		return NULL;
	hash_for_each(views_by_mm, bucket, view, by_mm) {
		if (file_inode(view->backing) == inode && mshim_parts_any(view->parts) &&
		    !READ_ONCE(view->dead) &&
		    (view->control || atomic_read(&view->users)) && is_trusted(inode, view->uid))
			return view;
	}
	return NULL;
}

/* Of the views that share these parts the one that takes attachments. */
static struct mshim_view *sibling(const struct mshim_view *of, bool writable)
{
	struct mshim_view *view;

	list_for_each_entry(view, &of->control->views, of_control) {
		if (view->parts == of->parts && view->writable == writable &&
		    !hlist_unhashed(&view->by_inode) && !READ_ONCE(view->dead))
			return view;
	}
	return NULL;
}

static struct mshim_view *find(struct inode *inode, bool writable)
{
	kuid_t trusted[] = { current_euid(), inode->i_uid, GLOBAL_ROOT_UID };
	struct mshim_view *view = with_parts(inode);
	int i;

	if (view)
		return view->control ? sibling(view, writable) : ERR_PTR(-EOWNERDEAD);
	for (i = 0; i < ARRAY_SIZE(trusted) && !view; i++)
		view = lookup(inode, writable, trusted[i]);
	return view;
}

/*
 * The view this caller may attach to: of a host it trusts. The caller's right to the file is
 * checked by who has the descriptor (main.c).
 */
struct mshim_view *mshim_view_find(struct file *file, u32 prot)
{
	struct mshim_view *view;

	mutex_lock(&mshim_views_mutex);
	view = find(file_inode(file), prot & MSHARE_VIEW_WRITE);
	if (!IS_ERR_OR_NULL(view))
		kref_get(&view->ref);
	mutex_unlock(&mshim_views_mutex);
	return view ?: ERR_PTR(-ENOENT);
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

/* The caller's reference on the parts is the view's from now on. */
static struct mshim_view *view_alloc(const struct mshare_ctl_create *arg, struct file *file,
				     pgoff_t pgoff, struct mshim_parts *parts)
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
	INIT_WORK(&view->put_work, mshim_host_put_work);
	spin_lock_init(&view->lock);
	init_waitqueue_head(&view->wait);
	INIT_LIST_HEAD(&view->links);
	INIT_LIST_HEAD(&view->zap_list);
	INIT_LIST_HEAD(&view->batches);
	INIT_LIST_HEAD(&view->zaps);
	INIT_LIST_HEAD(&view->rounds);
	view->backing = get_file(file);
	view->parts = parts;
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

/* A view of the file that was made through the same descriptor. */
static struct mshim_view *own_view(struct mshim_control *control, const struct inode *inode)
{
	struct mshim_view *view;

	lockdep_assert_held(&mshim_views_mutex);
	list_for_each_entry(view, &control->views, of_control) {
		if (file_inode(view->backing) == inode)
			return view;
	}
	return NULL;
}

/* Those of the control's other views of the file, and where they begin; or new. Referenced. */
static struct mshim_parts *parts_for(struct mshim_control *control, const struct inode *inode,
				     pgoff_t *pgoff)
{
	struct mshim_parts *parts = NULL;
	struct mshim_view *view;

	mutex_lock(&mshim_views_mutex);
	view = own_view(control, inode);
	if (view) {
		parts = mshim_parts_get(view->parts);
		*pgoff = view->pgoff;
	}
	mutex_unlock(&mshim_views_mutex);
	return parts ?: mshim_parts_alloc();
}

/* Whether others have what this view would be, or another of its control with other parts. */
static int check_others(struct mshim_control *control, const struct mshim_view *view,
			const struct mshim_view *same, bool replace)
{
	const struct inode *inode = file_inode(view->backing);
	const struct mshim_view *own = own_view(control, inode);
	const struct mshim_view *other = with_parts(inode);

	if (same && !(replace && same->control == control))
		return -EEXIST;
	if (own && own->parts != view->parts) /* made at the same time */
		return -EEXIST;
	if (other && !other->control)
		return -EOWNERDEAD;
	if (other && other->parts != view->parts)
		return -EEXIST;
	return too_many(view) ? -EUSERS : 0;
}

/*
 * Seen as a host first, then looked at: mmap() does it in the other order, so one of us notices. A
 * view that is replaced stays for its links, and counts for WAIT.
 */
static int publish(struct mshim_control *control, struct mshim_view *view, bool replace)
{
	struct inode *inode = file_inode(view->backing);
	struct mshim_view *old;
	int err;

	mutex_lock(&mshim_views_mutex);
	old = lookup(inode, view->writable, view->uid);
	err = check_others(control, view, old, replace);
	if (!err) {
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

/* With a reference on the parts, which it takes over, or drops. */
static int create_with(struct mshim_control *control, const struct mshare_ctl_create *arg,
		       struct file *file, struct mshim_parts *parts, pgoff_t pgoff)
{
	int err = mshim_check_mapping(current->mm, arg, file, parts, &pgoff);
	struct mshim_view *view = err ? NULL : view_alloc(arg, file, pgoff, parts);

	if (!view) {
		mshim_parts_put(parts);
		return err ?: -ENOMEM;
	}
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

int mshim_view_create(struct mshim_control *control, const struct mshare_ctl_create *arg,
		      struct file *file)
{
	pgoff_t pgoff = 0;
	struct mshim_parts *parts = parts_for(control, file_inode(file), &pgoff);

	return parts ? create_with(control, arg, file, parts, pgoff) : -ENOMEM;
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
