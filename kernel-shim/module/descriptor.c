// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach descriptors. Each is a file with an inode of its own, and so with an i_mmap lock of its
 * own: whoever registers an MMU notifier takes those of all files that are mapped, and by holding
 * this one a zap keeps others from registering (flight.c). They are anonymous files all the same,
 * in the file system of those; what anon_inode_getfile() gives shares one inode.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>

#include "mshim.h"

static struct vfsmount *mount;	/* referenced; of anonymous files */

/* Known by any such file. Its operations are the core's: it goes when we are back in user mode. */
int mshim_attach_init(void)
{
	struct file *file = anon_inode_getfile("[mshare]", &generic_ro_fops, NULL, O_RDONLY);

	if (IS_ERR(file))
		return PTR_ERR(file);
	mount = mntget(file->f_path.mnt);
	fput(file);
	return 0;
}

void mshim_attach_exit(void)
{
	mntput(mount);
}

/*
 * As with the inode that others share, it is nobody's who attaches: mincore(2) and madvise(2) let
 * the owner of a mapped file see, and page out, what others have in memory.
 */
static struct inode *inode_make(void)
{
	struct inode *inode = alloc_anon_inode(mount->mnt_sb);

	if (!IS_ERR(inode)) {
		inode->i_uid = GLOBAL_ROOT_UID;
		inode->i_gid = GLOBAL_ROOT_GID;
	}
	return inode;
}

/*
 * Open for both, or mmap(2) would turn a shared mapping for reading into a private one; what may be
 * mapped is the view's affair (check_vma()). The device that is open keeps the module until the
 * file does, by what __fput() gives back.
 */
static struct file *file_make(struct mshim_view *view, const char *name)
{
	struct inode *inode = inode_make();
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, mount, name, O_RDWR, &mshim_attach_fops);
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		iput(inode);
		return file;
	}
	file->private_data = view;
	return file;
}

/* A new descriptor, which takes the caller's reference on the view over, or -errno. */
int mshim_attach_fd(struct mshim_view *view)
{
	/* The columns of /proc/PID/maps are about the descriptor: what file it stands for. */
	char name[sizeof("[mshare] fff:fffff 18446744073709551615")];
	const struct inode *inode = file_inode(view->backing);
	dev_t dev = inode->i_sb->s_dev;
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "[mshare] %02x:%02x %lu", MAJOR(dev), MINOR(dev),
		 inode->i_ino);
	file = file_make(view, name);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}
