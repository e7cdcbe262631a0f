// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach descriptors. Each is a file with an inode of its own, and so with an i_mmap lock of its
 * own: whoever registers an MMU notifier takes those of all files that are mapped, and by holding
 * this one a zap keeps others from registering (zap_link()). They are in a file system that exists
 * as long as there are any.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "mshim.h"

#define MSHIM_MAGIC 0x6d736872

static struct vfsmount *mount;	/* simple_pin_fs() locks both */
static int mount_users;		/* files */

/* For /proc/PID/maps: anonymous, as far as anybody is concerned. */
static char *attach_dname(struct dentry *dentry, char *buffer, int size)
{
	char name[80];
	int length = snprintf(name, sizeof(name), "anon_inode:%s", dentry->d_name.name) + 1;

	if (length > (int)sizeof(name) || length > size)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + size - length, name, length);
}

static const struct dentry_operations attach_dops = {
	.d_dname = attach_dname,
};

static int attach_fs_init(struct fs_context *context)
{
	struct pseudo_fs_context *pseudo = init_pseudo(context, MSHIM_MAGIC);

	if (!pseudo)
		return -ENOMEM;
	pseudo->dops = &attach_dops;
	return 0;
}

static struct file_system_type attach_fs = {
	.name = "mshare",
	.owner = THIS_MODULE,
	.init_fs_context = attach_fs_init,
	.kill_sb = kill_anon_super,
};

/*
 * For a view that the file takes over with its user. Open for both, or mmap(2) would turn a shared
 * mapping for reading into a private one; what may be mapped is the view's affair (check_vma()).
 */
static struct file *file_make(struct mshim_view *view, const char *name)
{
	struct inode *inode = alloc_anon_inode(mount->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	__module_get(THIS_MODULE); /* who calls us has the device open; __fput() puts it */
	file = alloc_file_pseudo(inode, mount, name, O_RDWR, &mshim_attach_fops);
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		iput(inode);
		return file;
	}
	file->private_data = view;
	return file;
}

/* What the columns of /proc/PID/maps say is about the descriptor: what file that stands for. */
static struct file *file_open(struct mshim_view *view)
{
	const struct inode *inode = file_inode(view->backing);
	dev_t dev = inode->i_sb->s_dev;
	char name[sizeof("[mshare] fff:fffff 18446744073709551615")];
	struct file *file;
	int err;

	snprintf(name, sizeof(name), "[mshare] %02x:%02x %lu", MAJOR(dev), MINOR(dev),
		 inode->i_ino);
	err = simple_pin_fs(&attach_fs, &mount, &mount_users);
	if (err)
		return ERR_PTR(err);
	file = file_make(view, name);
	if (IS_ERR(file))
		simple_release_fs(&mount, &mount_users);
	return file;
}

/* A new descriptor, which takes the caller's reference on the view over, or -errno. */
int mshim_attach_fd(struct mshim_view *view)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = file_open(view);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* For release(): the file itself keeps the file system until it is freed. */
void mshim_attach_fd_closed(void)
{
	simple_release_fs(&mount, &mount_users);
}
