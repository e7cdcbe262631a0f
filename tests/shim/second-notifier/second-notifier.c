// SPDX-License-Identifier: GPL-2.0-only
/*
 * A second user of MMU notifiers in a process, as KVM is with the one kind, RDMA with the other:
 * whoever opens the device has the invalidations of its address space counted. write(2) of an
 * address takes the page that is there, as a hypervisor would map it into its guest; the next
 * invalidation over the address makes it stale. Before that, all invalidations are counted. read(2)
 * gives the counts. Only for tests.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

static unsigned int delay_ms;
module_param(delay_ms, uint, 0600);
MODULE_PARM_DESC(delay_ms, "how long interval notifiers take");
static unsigned int start_delay_ms;
module_param(start_delay_ms, uint, 0600);
MODULE_PARM_DESC(start_delay_ms, "how long ordinary notifiers take to begin, over the address");

struct watch {
	struct mmu_notifier notifier;
	struct mmu_interval_notifier interval; /* over the page at the address */
	bool inserted; /* interval is; writes, which are one by one */
	spinlock_t lock; /* everything below */
	unsigned long address;
	bool mapped; /* the page taken is still valid, as far as notifier knows */
	bool interval_mapped; /* the same, of interval */
	u64 starts, ends; /* over the address */
	u64 intervals;
};

static bool over(const struct watch *watch, const struct mmu_notifier_range *range)
{
	return !watch->address || (watch->address >= range->start && watch->address < range->end);
}

static int watch_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct watch *watch = container_of(notifier, struct watch, notifier);
	bool delayed = false;

	spin_lock(&watch->lock);
	if (over(watch, range)) {
		watch->starts++;
		watch->mapped = false;
		delayed = watch->address && mmu_notifier_range_blockable(range);
	}
	spin_unlock(&watch->lock);
	if (delayed)
		msleep(READ_ONCE(start_delay_ms));
	return 0;
}

static void watch_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct watch *watch = container_of(notifier, struct watch, notifier);

	spin_lock(&watch->lock);
	watch->ends += over(watch, range);
	spin_unlock(&watch->lock);
}

static const struct mmu_notifier_ops watch_ops = {
	.invalidate_range_start = watch_start,
	.invalidate_range_end = watch_end,
};

static bool watch_invalidate(struct mmu_interval_notifier *interval,
			     const struct mmu_notifier_range *range, unsigned long seq)
{
	struct watch *watch = container_of(interval, struct watch, interval);

	if (mmu_notifier_range_blockable(range))
		msleep(READ_ONCE(delay_ms));
	spin_lock(&watch->lock);
	mmu_interval_set_seq(interval, seq);
	watch->interval_mapped = false;
	watch->intervals++;
	spin_unlock(&watch->lock);
	return true;
}

static const struct mmu_interval_notifier_ops watch_interval_ops = {
	.invalidate = watch_invalidate,
};

static int watch_open(struct inode *inode, struct file *file)
{
	struct watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	int err;

	if (!watch)
		return -ENOMEM;
	spin_lock_init(&watch->lock);
	watch->notifier.ops = &watch_ops;
	err = mmu_notifier_register(&watch->notifier, current->mm);
	if (err)
		kfree(watch);
	else
		file->private_data = watch;
	return err;
}

static int watch_release(struct inode *inode, struct file *file)
{
	struct watch *watch = file->private_data;

	if (watch->inserted)
		mmu_interval_notifier_remove(&watch->interval);
	mmu_notifier_unregister(&watch->notifier, watch->notifier.mm);
	kfree(watch);
	return 0;
}

static int move_interval(struct watch *watch, unsigned long address)
{
	int err;

	if (watch->inserted)
		mmu_interval_notifier_remove(&watch->interval);
	err = mmu_interval_notifier_insert(&watch->interval, watch->notifier.mm,
					   address & PAGE_MASK, PAGE_SIZE, &watch_interval_ops);
	watch->inserted = !err;
	return err;
}

/* As KVM and RDMA do it: the page counts only if no invalidation came while it was looked up. */
static int take_page(struct watch *watch, unsigned long address)
{
	struct page *page;
	unsigned long seq;
	u64 starts;
	int err = move_interval(watch, address);

	if (err)
		return err;
	spin_lock(&watch->lock);
	watch->address = address;
	starts = watch->starts;
	spin_unlock(&watch->lock);
	seq = mmu_interval_read_begin(&watch->interval);
	if (get_user_pages_fast(address, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	err = -EAGAIN;
	spin_lock(&watch->lock);
	if (watch->starts == starts && watch->starts == watch->ends &&
	    !mmu_interval_read_retry(&watch->interval, seq)) {
		watch->mapped = true;
		watch->interval_mapped = true;
		err = 0;
	}
	spin_unlock(&watch->lock);
	put_page(page);
	return err;
}

static ssize_t watch_write(struct file *file, const char __user *from, size_t length, loff_t *pos)
{
	u64 address;
	int err;

	if (length != sizeof(address))
		return -EINVAL;
	if (copy_from_user(&address, from, sizeof(address)))
		return -EFAULT;
	err = take_page(file->private_data, address);
	return err ?: (ssize_t)length;
}

static ssize_t watch_read(struct file *file, char __user *to, size_t length, loff_t *pos)
{
	struct watch *watch = file->private_data;
	u64 counts[5];

	if (length != sizeof(counts))
		return -EINVAL;
	spin_lock(&watch->lock);
	counts[0] = watch->mapped;
	counts[1] = watch->starts;
	counts[2] = watch->ends;
	counts[3] = watch->interval_mapped;
	counts[4] = watch->intervals;
	spin_unlock(&watch->lock);
	return copy_to_user(to, counts, sizeof(counts)) ? -EFAULT : (ssize_t)length;
}

static const struct file_operations watch_fops = {
	.owner = THIS_MODULE,
	.open = watch_open,
	.release = watch_release,
	.read = watch_read,
	.write = watch_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "second-notifier",
	.fops = &watch_fops,
	.mode = 0600,
};

module_misc_device(device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("counts MMU notifications, for tests");
