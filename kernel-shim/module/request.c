// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: what a process asks the host of a file to do to its range, for all who are attached.
 * The host does it with ordinary system calls on its own mapping; the notifier does the rest.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>

#include "mshim.h"

/*
 * On the stack of who asks, which leaves only after it has taken the mutex once more: who answers
 * holds that.
 */
struct request {
	struct list_head node;		/* mshim_views_mutex, as the rest; empty: answered */
	const struct mshare_ctl_ask *ask;
	u64 id;
	bool taken;
	long answer;
	struct completion done;
};

static u64 next_id;			/* mshim_views_mutex */

/* Whether this mapping of the file allows in the range what is to be forbidden. */
static bool exceeds(const struct vm_area_struct *vma, const struct mshare_ctl_ask *ask)
{
	pgoff_t first = ask->off >> PAGE_SHIFT;
	pgoff_t last = (ask->off + ask->len - 1) >> PAGE_SHIFT;
	pgoff_t pages = vma_pages((struct vm_area_struct *)vma);

	if (vma->vm_pgoff > last || vma->vm_pgoff + pages <= first)
		return false;
	if ((vma->vm_flags & VM_READ) && !(ask->argument & MSHARE_VIEW_READ))
		return true;
	return (vma->vm_flags & VM_SHARED) && (vma->vm_flags & VM_WRITE) &&
	       !(ask->argument & MSHARE_VIEW_WRITE);
}

/*
 * Whether somebody who is no host has mapped the file itself, beyond the reach of any host. The
 * mutex comes before i_mmap_rwsem, so that hosts can be told from others in here.
 */
static bool mapped_otherwise(const struct mshim_view *view, const struct mshare_ctl_ask *ask)
{
	struct address_space *mapping = view->backing->f_mapping;
	struct rb_node *node;
	bool found = false;

	i_mmap_lock_read(mapping);
	for (node = rb_first(&mapping->i_mmap.rb_root); node && !found; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct, shared.rb);

		found = exceeds(vma, ask) && !mshim_hosts_views(vma->vm_mm);
	}
	i_mmap_unlock_read(mapping);
	return found;
}

/* A protection is for everybody or not at all. */
static long may_ask(const struct mshim_view *view, const struct mshare_ctl_ask *ask)
{
	lockdep_assert_held(&mshim_views_mutex);
	if (!view->control)
		return -ENOENT;
	if (ask->operation != MSHARE_ASK_PROTECT)
		return 0;
	if (mshim_view_has_others(view) || mapped_otherwise(view, ask))
		return -EBUSY;
	return mshim_control_users(view->control) ? 0 : -ENOTCONN;
}

static long submit(struct mshim_view *view, struct request *request)
{
	long err;

	mutex_lock(&mshim_views_mutex);
	err = may_ask(view, request->ask);
	if (!err) {
		request->id = ++next_id;
		list_add_tail(&request->node, &view->control->requests);
		WRITE_ONCE(view->control->waiting, view->control->waiting + 1);
		wake_up_all(&view->control->wait);
	}
	mutex_unlock(&mshim_views_mutex);
	return err;
}

/* The control of a request that is still in its list; mshim_views_mutex held. */
static void withdraw(struct mshim_control *control, struct request *request)
{
	list_del_init(&request->node);
	if (!request->taken)
		WRITE_ONCE(control->waiting, control->waiting - 1);
}

/* waited: what the wait has returned. */
static long conclude(struct mshim_view *view, struct request *request, long waited)
{
	long answer;

	mutex_lock(&mshim_views_mutex);
	answer = request->answer;
	if (!list_empty(&request->node)) {
		withdraw(view->control, request);
		answer = waited < 0 ? -EINTR : -ETIMEDOUT;
	}
	mutex_unlock(&mshim_views_mutex);
	return answer;
}

/* Asks the host of the view, and waits for what it says. */
long mshim_ask(struct mshim_view *view, const struct mshare_ctl_ask *ask)
{
	struct request request = { .ask = ask };
	long err;

	init_completion(&request.done);
	err = submit(view, &request);
	if (err)
		return err;
	err = wait_for_completion_killable_timeout(&request.done,
						   msecs_to_jiffies(ask->timeout_ms));
	return conclude(view, &request, err);
}

static struct request *find_request(struct mshim_control *control, bool taken, u64 id)
{
	struct request *request;

	lockdep_assert_held(&mshim_views_mutex);
	list_for_each_entry(request, &control->requests, node) {
		if (request->taken == taken && (!taken || request->id == id))
			return request;
	}
	return NULL;
}

static bool take(struct mshim_control *control, struct mshare_ctl_next *next)
{
	struct request *request = find_request(control, false, 0);

	next->operation = 0;
	if (!request)
		return false;
	next->operation = request->ask->operation;
	next->argument = request->ask->argument;
	next->off = request->ask->off;
	next->len = request->ask->len;
	next->id = request->id;
	request->taken = true;
	WRITE_ONCE(control->waiting, control->waiting - 1);
	return true;
}

/* For the host: until somebody asks, or nobody has used a view for linger_ms. */
long mshim_next(struct mshim_control *control, struct mshare_ctl_next *next)
{
	unsigned long step = max(msecs_to_jiffies(next->linger_ms), 1UL);
	bool idle = false;

	if (list_empty_careful(&control->views))
		return -EINVAL;
	for (;;) {
		bool taken, used;
		long left;

		mutex_lock(&mshim_views_mutex);
		taken = take(control, next);
		used = mshim_control_users(control);
		mutex_unlock(&mshim_views_mutex);
		if (taken || (!used && idle))
			return 0;
		left = wait_event_interruptible_timeout(control->wait, READ_ONCE(control->waiting),
							step);
		if (left < 0)
			return -EINTR;
		idle = !used && !left;
	}
}

static void finish(struct request *request, long answer)
{
	request->answer = answer;
	list_del_init(&request->node);
	complete(&request->done);
}

long mshim_answer(struct mshim_control *control, const struct mshare_ctl_answer *answer)
{
	struct request *request;

	if (answer->error > 0 || answer->error < -MAX_ERRNO)
		return -EINVAL;
	mutex_lock(&mshim_views_mutex);
	request = find_request(control, true, answer->id);
	if (request)
		finish(request, answer->error);
	mutex_unlock(&mshim_views_mutex);
	return request ? 0 : -ENOENT;
}

/* The host is gone, and its answers with it. mshim_views_mutex held. */
void mshim_requests_end(struct mshim_control *control)
{
	struct request *request, *next;

	list_for_each_entry_safe(request, next, &control->requests, node)
		finish(request, -EPIPE);
}
