// SPDX-License-Identifier: GPL-2.0-only
/* What a host has by one descriptor of the device: views, until it leaves. */
#include "mshim.h"

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

/*
 * A view of the same file and rights that this one has replaced, referenced; NULL: there is none
 * any more. Drops the caller's reference on this one.
 */
struct mshim_view *mshim_view_older(struct mshim_view *view)
{
	struct mshim_view *other = view, *older = NULL;

	mutex_lock(&mshim_views_mutex);
	if (view->control) {
		list_for_each_entry_continue(other, &view->control->views, of_control) {
			if (file_inode(other->backing) == file_inode(view->backing) &&
			    other->writable == view->writable) {
				older = other;
				kref_get(&older->ref);
				break;
			}
		}
	}
	mutex_unlock(&mshim_views_mutex);
	mshim_view_put(view);
	return older;
}

static void add_counts(struct mshare_ctl_query *q, struct mshim_view *view)
{
	spin_lock(&view->lock);
	q->links += view->nr_links;
	q->tables += view->nr_tables;
	q->entries += view->nr_entries;
	q->faults += view->faults;
	q->invalidations += view->invalidations;
	q->flushes += view->flushes;
	spin_unlock(&view->lock);
}

/* Of this view and those that it has replaced. Drops the caller's reference. */
void mshim_view_count(struct mshim_view *view, struct mshare_ctl_query *q)
{
	q->links = 0;
	q->tables = 0;
	q->entries = 0;
	q->faults = 0;
	q->invalidations = 0;
	q->flushes = 0;
	for (; view; view = mshim_view_older(view))
		add_counts(q, view);
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
