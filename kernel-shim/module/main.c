// SPDX-License-Identifier: GPL-2.0-only
/* The device /dev/mshare: one operation a command, from a table. */
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mshim.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

struct workqueue_struct *mshim_workqueue;
struct workqueue_struct *mshim_free_workqueue;

union argument {
	u32 size;
	struct mshare_ctl_query query;
	struct mshare_ctl_create create;
	struct mshare_ctl_attach attach;
	struct mshare_ctl_detach detach;
	struct mshare_ctl_flush flush;
	struct mshare_ctl_wait wait;
	struct mshare_ctl_ask ask;
	struct mshare_ctl_next next;
	struct mshare_ctl_answer answer;
	struct mshare_ctl_part part;
};

/* The view of a file for this caller, referenced. mode: of the descriptor, NULL: not wanted. */
static struct mshim_view *get_view(s32 fd, u32 prot, fmode_t *mode)
{
	struct file *file = mshim_backing_get(fd, prot);
	struct mshim_view *view;

	if (IS_ERR(file))
		return ERR_CAST(file);
	view = mshim_view_find(file, prot);
	if (mode)
		*mode = file->f_mode;
	fput(file);
	return view;
}

static long do_query(struct file *control, union argument *arg)
{
	struct mshare_ctl_query *q = &arg->query;
	struct mshim_view *view;

	if (q->reserved)
		return -EINVAL;
	q->features = MSHARE_FEATURE_PTE_TABLES | MSHARE_FEATURE_READ_VIEWS |
		      MSHARE_FEATURE_REQUESTS | MSHARE_FEATURE_PARTS |
		      MSHARE_FEATURE_DONTDUMP;
	q->slot_size = PMD_SIZE;
	if (q->fd == -1)
		return 0;
	view = get_view(q->fd, q->prot, NULL);
	if (IS_ERR(view))
		return PTR_ERR(view);
	q->parts = mshim_parts_count(view->parts);
	q->host = mshim_view_host(view);
	mshim_view_count(view, q);
	return 0;
}

static long do_create(struct file *control, union argument *arg)
{
	struct file *file = mshim_backing_get(arg->create.fd, arg->create.prot);
	long err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	err = -EACCES; /* also for a view to read: see is_ordinary() */
	if (file->f_mode & FMODE_WRITE)
		err = mshim_view_create(control->private_data, &arg->create, file);
	fput(file);
	return err;
}

static long do_attach(struct file *control, union argument *arg)
{
	struct mshim_view *view = get_view(arg->attach.fd, arg->attach.prot, NULL);
	int fd;

	if (IS_ERR(view))
		return PTR_ERR(view);
	atomic_inc(&view->users);
	fd = mshim_attach_fd(view);
	if (fd < 0) {
		atomic_dec(&view->users);
		mshim_view_put(view);
	}
	return fd;
}

static long do_detach(struct file *control, union argument *arg)
{
	return mshim_detach(arg->detach.addr, arg->detach.len);
}

/* Everybody attached pays for a flush: not for who could not make them pay by other means. */
static bool may_flush(const struct mshim_view *view, fmode_t mode)
{
	return (mode & FMODE_WRITE) || uid_eq(current_euid(), view->uid) ||
	       uid_eq(current_euid(), GLOBAL_ROOT_UID);
}

static u64 offset_of(const struct mshim_view *view)
{
	return (u64)view->pgoff << PAGE_SHIFT;
}

static bool is_inside(const struct mshim_view *view, const struct mshare_ctl_flush *f)
{
	u64 base = offset_of(view), size = view->end - view->start;

	return f->off >= base && f->off - base < size && f->len <= size - (f->off - base);
}

/* What of the range a view has: those that were replaced are smaller. */
static void flush_range(struct mshim_view *view, const struct mshare_ctl_flush *f)
{
	u64 base = offset_of(view);
	u64 start = max(f->off, base);
	u64 end = min(f->off + f->len, base + (view->end - view->start));

	if (start < end)
		mshim_flush_view(view, view->start + (start - base), view->start + (end - base));
}

static long do_flush(struct file *control, union argument *arg)
{
	const struct mshare_ctl_flush *f = &arg->flush;
	struct mshim_view *view;
	fmode_t mode;
	long err;

	if (!f->len || !IS_ALIGNED(f->off | f->len, PMD_SIZE))
		return -EINVAL;
	view = get_view(f->fd, f->prot, &mode);
	if (IS_ERR(view))
		return PTR_ERR(view);
	err = !may_flush(view, mode) ? -EPERM : !is_inside(view, f) ? -EINVAL : 0;
	if (err)
		mshim_view_put(view);
	for (; !err && view; view = mshim_view_older(view))
		flush_range(view, f);
	return err;
}

static long do_wait(struct file *control, union argument *arg)
{
	if (arg->wait.reserved)
		return -EINVAL;
	return mshim_control_wait(control->private_data, arg->wait.linger_ms);
}

/* A protection binds all who are attached, advice costs them: not for who could not write. */
static bool may_ask(u32 operation, fmode_t mode)
{
	return operation == MSHARE_ASK_GROW || (mode & FMODE_WRITE);
}

static bool is_valid(const struct mshare_ctl_ask *ask)
{
	if (!ask->operation || !ask->len || ask->off + ask->len < ask->off)
		return false;
	if (ask->operation != MSHARE_ASK_MAP)
		return !ask->map_fd && !ask->map_off;
	return ask->off + ask->len <= LLONG_MAX && ask->map_off <= LLONG_MAX - ask->len &&
	       IS_ALIGNED(ask->off | ask->len | ask->map_off, PAGE_SIZE) &&
	       (ask->argument == MSHARE_VIEW_READ ||
		ask->argument == (MSHARE_VIEW_READ | MSHARE_VIEW_WRITE));
}

/* map: what is to be mapped; NULL: that is not what is asked for. */
static long ask_host(const struct mshare_ctl_ask *ask, struct file *map)
{
	struct mshim_view *view;
	fmode_t mode;
	long err;

	view = get_view(ask->fd, ask->prot, &mode);
	if (IS_ERR(view))
		return PTR_ERR(view);
	err = may_ask(ask->operation, mode) ? mshim_ask(view, ask, map) : -EPERM;
	mshim_view_put(view);
	return err;
}

static long do_ask(struct file *control, union argument *arg)
{
	const struct mshare_ctl_ask *ask = &arg->ask;
	struct file *map;
	long err;

	if (!is_valid(ask))
		return -EINVAL;
	if (ask->operation != MSHARE_ASK_MAP)
		return ask_host(ask, NULL);
	/* For both also where it is to be read only: see is_ordinary(). */
	map = mshim_backing_get(ask->map_fd, MSHARE_VIEW_READ | MSHARE_VIEW_WRITE);
	if (IS_ERR(map))
		return PTR_ERR(map);
	err = ask_host(ask, map);
	fput(map);
	return err;
}

static long do_next(struct file *control, union argument *arg)
{
	if (arg->next.reserved)
		return -EINVAL;
	return mshim_next(control->private_data, &arg->next);
}

static long do_answer(struct file *control, union argument *arg)
{
	if (arg->answer.reserved)
		return -EINVAL;
	return mshim_answer(control->private_data, &arg->answer);
}

static long do_part(struct file *control, union argument *arg)
{
	return mshim_part(control->private_data, arg->part.id);
}

struct operation {
	unsigned int command;
	size_t size; /* of the struct, now and, so far, in the first release */
	u32 flags; /* that are known */
	long (*run)(struct file *control, union argument *arg);
};

#define OPERATION(command, name, flags)                                                            \
	[_IOC_NR(command)] = { command, sizeof(struct mshare_ctl_##name), flags, do_##name }

static const struct operation operations[] = {
	OPERATION(MSHARE_CTL_QUERY, query, 0),	 OPERATION(MSHARE_CTL_ATTACH, attach, 0),
	OPERATION(MSHARE_CTL_DETACH, detach, 0), OPERATION(MSHARE_CTL_FLUSH, flush, 0),
	OPERATION(MSHARE_CTL_WAIT, wait, 0),	 OPERATION(MSHARE_CTL_ASK, ask, 0),
	OPERATION(MSHARE_CTL_NEXT, next, 0),	 OPERATION(MSHARE_CTL_ANSWER, answer, 0),
	OPERATION(MSHARE_CTL_PART, part, 0),
	OPERATION(MSHARE_CTL_CREATE, create, MSHARE_CREATE_REPLACE),
};

static long run(const struct operation *op, struct file *control, void __user *user)
{
	union argument arg = {};
	u32 size;
	long ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, op->size, user, size);
	if (ret)
		return ret;
	if (arg.query.flags & ~op->flags) /* at the same place in every struct */
		return -EINVAL;
	ret = op->run(control, &arg);
	arg.size = size;
	if (ret >= 0 && (_IOC_DIR(op->command) & _IOC_READ) && copy_to_user(user, &arg, op->size))
		return -EFAULT;
	return ret;
}

static long mshim_ioctl(struct file *control, unsigned int command, unsigned long user)
{
	unsigned int nr = _IOC_NR(command);

	if (in_compat_syscall() || nr >= ARRAY_SIZE(operations) ||
	    operations[nr].command != command)
		return -ENOTTY;
	return run(&operations[nr], control, (void __user *)user);
}

static int mshim_open_control(struct inode *inode, struct file *file)
{
	struct mshim_control *control = kzalloc(sizeof(*control), GFP_KERNEL_ACCOUNT);

	if (!control)
		return -ENOMEM;
	INIT_LIST_HEAD(&control->views);
	INIT_LIST_HEAD(&control->requests);
	init_waitqueue_head(&control->wait);
	file->private_data = control;
	return 0;
}

static int mshim_close_control(struct inode *inode, struct file *file)
{
	mshim_control_close(file->private_data);
	kfree(file->private_data);
	return 0;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = mshim_open_control,
	.release = mshim_close_control,
	.unlocked_ioctl = mshim_ioctl,
	.compat_ioctl = mshim_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mshare",
	.fops = &control_fops,
	.mode = 0666,
};

static int __init mshim_init(void)
{
	int err;

	err = mshim_arch_init();
	if (err)
		return err;
	err = mshim_walkers_init();
	if (err)
		return err;
	err = mshim_attach_init();
	if (err)
		goto walkers;
	err = -ENOMEM;
	mshim_workqueue = alloc_workqueue("mshare", WQ_UNBOUND, 0);
	if (!mshim_workqueue)
		goto attach;
	mshim_free_workqueue = alloc_workqueue("mshare-free", WQ_UNBOUND, 0);
	if (!mshim_free_workqueue)
		goto workqueue;
	err = misc_register(&device);
	if (err)
		goto free_workqueue;
	mshim_stats_init();
	return 0;
free_workqueue:
	destroy_workqueue(mshim_free_workqueue);
workqueue:
	destroy_workqueue(mshim_workqueue);
attach:
	mshim_attach_exit();
walkers:
	mshim_walkers_exit();
	return err;
}

/* Every descriptor and every VMA holds the module; what is left are views on their way out. */
static void __exit mshim_exit(void)
{
	mshim_stats_exit();
	misc_deregister(&device);
	destroy_workqueue(mshim_workqueue);
	destroy_workqueue(mshim_free_workqueue);
	mshim_links_exit();
	mshim_attach_exit();
	mshim_walkers_exit();
}

module_init(mshim_init);
module_exit(mshim_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Page tables shared by processes");
