// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: what a process asks the host of a file to do to its range, for all who are attached.
 * The host does it with ordinary system calls on its own mapping; the notifier does the rest.
 */
#include <linux/completion.h>
#include <linux/fcntl.h>
#include <linux/file.h>
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
	struct mshim_view *view;	/* who asks has it and map referenced */
	struct file *map;		/* for MSHARE_ASK_MAP, else NULL */
	u64 id;
	bool taken;
	long answer;
	struct completion done;
};

static u64 next_id;			/* mshim_views_mutex */

/* Whether this mapping of the file allows in the range what is to be forbidden, or shows it. */
static bool exceeds(const struct vm_area_struct *vma, const struct mshare_ctl_ask *ask)
{
	pgoff_t first = ask->off >> PAGE_SHIFT;
	pgoff_t last = (ask->off + ask->len - 1) >> PAGE_SHIFT;
	pgoff_t pages = vma_pages((struct vm_area_struct *)vma);

	if (vma->vm_pgoff > last || vma->vm_pgoff + pages <= first)
		return false;
	if (ask->operation == MSHARE_ASK_MAP)
		return true;
	if ((vma->vm_flags & VM_READ) && !(ask->argument & MSHARE_VIEW_READ))
		return true;
	return (vma->vm_flags & VM_SHARED) && (vma->vm_flags & VM_WRITE) &&
	       !(ask->argument & MSHARE_VIEW_WRITE);
}

/*
 * Of processes, not of what is left of one: a host's mm outlives the host, and its mappings outlive
 * its views a little. The VMA keeps mm allocated.
 */
static bool is_alive(const struct mm_struct *mm)
{
	return atomic_read(&mm->mm_users) > 0;
}

/*
 * Whether somebody who is no host of the file has mapped it himself, beyond the reach of any. The
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

		found = exceeds(vma, ask) && is_alive(vma->vm_mm) &&
			!mshim_hosts_file(vma->vm_mm, file_inode(view->backing));
	}
	i_mmap_unlock_read(mapping);
	return found;
}

/* Whether a range becomes what it would be without any request. */
static bool is_original(const struct request *request)
{
	return request->map && request->ask->map_off == request->ask->off &&
	       file_inode(request->map) == file_inode(request->view->backing);
}

/* A protection is for everybody or not at all, and so is what everybody sees. */
static long may_ask(const struct request *request)
{
	const struct mshim_view *view = request->view;
	const struct mshare_ctl_ask *ask = request->ask;

	lockdep_assert_held(&mshim_views_mutex);
	if (!view->control)
		return -ENOENT;
	if (ask->operation != MSHARE_ASK_PROTECT && ask->operation != MSHARE_ASK_MAP)
		return 0;
	if (is_original(request))
		return 0;
	if (mshim_view_has_others(view) || mapped_otherwise(view, ask))
		return -EBUSY;
	return mshim_control_users(view->control) ? 0 : -ENOTCONN;
}

static long submit(struct request *request)
{
	struct mshim_view *view = request->view;
	long err;

	mutex_lock(&mshim_views_mutex);
	err = may_ask(request);
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
long mshim_ask(struct mshim_view *view, const struct mshare_ctl_ask *ask, struct file *map)
{
	struct request request = { .ask = ask, .view = view, .map = map };
	long err;

	init_completion(&request.done);
	err = submit(&request);
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
	next->map_off = request->ask->map_off;
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

/*
 * Lets the host map what was asked for. Who maps the file itself looks for parts after that, we for
 * such mappings after there are parts: one of us notices.
 */
static int announce(const struct request *request)
{
	const struct mshare_ctl_ask *ask = request->ask;
	struct mshim_parts *parts = request->view->parts;
	const struct mshim_wanted wanted = {
		.first = ask->off >> PAGE_SHIFT,
		.last = (ask->off + ask->len - 1) >> PAGE_SHIFT,
		.file = is_original(request) ? NULL : request->map,
		.pgoff = ask->map_off >> PAGE_SHIFT,
	};
	int err = mshim_parts_begin(parts, request->id, &wanted);

	if (!err && wanted.file &&
	    (mshim_view_has_others(request->view) || mapped_otherwise(request->view, ask))) {
		mshim_parts_end(parts, request->id, false);
		err = -EBUSY;
	}
	return err;
}

/* What the host of a request that it has taken is to map, referenced. */
static struct file *part_of(struct mshim_control *control, u64 id)
{
	struct request *request;
	struct file *file = ERR_PTR(-ENOENT);

	mutex_lock(&mshim_views_mutex);
	request = find_request(control, true, id);
	if (request && request->map) {
		int err = announce(request);

		file = is_original(request) ? request->view->backing : request->map;
		file = err ? ERR_PTR(err) : get_file(file);
	}
	mutex_unlock(&mshim_views_mutex);
	return file;
}

/* Of all views that the control has, and so of the one asked about. mshim_views_mutex held. */
static void conclude_part(struct mshim_control *control, u64 id, bool done)
{
	struct mshim_view *view;

	list_for_each_entry(view, &control->views, of_control)
		mshim_parts_end(view->parts, id, done);
}

/* For the host: a descriptor of what it is asked to map, which it may from now on. */
long mshim_part(struct mshim_control *control, u64 id)
{
	struct file *file = part_of(control, id);
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = mshim_receive_fd(file, O_CLOEXEC);
	fput(file);
	if (fd < 0) {
		mutex_lock(&mshim_views_mutex);
		conclude_part(control, id, false);
		mutex_unlock(&mshim_views_mutex);
	}
	return fd;
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
	conclude_part(control, answer->id, !answer->error);
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
