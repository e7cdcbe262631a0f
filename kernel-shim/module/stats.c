// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/mshare: a line a view, for root. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "mshim.h"

static struct dentry *directory;

static int views_show(struct seq_file *out, void *unused)
{
	seq_puts(out, "uid mode links tables entries faults invalidations flushes ");
	seq_puts(out, "device inode file\n");
	mshim_views_show(out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(views);

/* debugfs may be off: its errors are not ours. */
void mshim_stats_init(void)
{
	directory = debugfs_create_dir("mshare", NULL);
	debugfs_create_file("views", 0400, directory, NULL, &views_fops);
}

void mshim_stats_exit(void)
{
	debugfs_remove_recursive(directory);
}
