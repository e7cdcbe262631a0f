// SPDX-License-Identifier: GPL-2.0-only
/* Which files can be shared, and by whom: nobody gets what mmap(2) would refuse. */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/shmem_fs.h>
#include <linux/stat.h>

#include "mshim.h"

/* What shmem_mmap() refuses for a writable shared mapping. */
static bool sealed_against_writing(struct inode *inode)
{
	return inode->i_sb->s_magic == TMPFS_MAGIC &&
	       (SHMEM_I(inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

/*
 * Page cache that mmap() maps by struct page, and that get_user_pages() may always have: it goes by
 * the VMA to know secret memory and DAX, which attached VMAs do not look like.
 */
static bool is_page_cache(const struct inode *inode)
{
	if (inode->i_sb->s_magic == TMPFS_MAGIC)
		return true;
	if (inode->i_sb->s_magic == SYSFS_MAGIC)
		return false; /* has read_folio() for reasons of its own */
	return inode->i_mapping->a_ops->read_folio && !IS_DAX(inode);
}

/* What do_mmap() says of a shared mapping with this protection. */
int mshim_may_map(const struct file *file, bool writable)
{
	struct inode *inode = file_inode(file);

	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if (!writable)
		return 0;
	if (!(file->f_mode & FMODE_WRITE) || IS_APPEND(inode))
		return -EACCES;
	if (IS_SWAPFILE(inode))
		return -ETXTBSY;
	return sealed_against_writing(inode) ? -EPERM : 0;
}

/*
 * Whether who has this descriptor could mmap() the file with this protection: all that attaching
 * grants. The file is referenced for the caller.
 */
struct file *mshim_backing_get(s32 fd, u32 prot)
{
	struct file *file;
	int err;

	if (prot != MSHARE_VIEW_READ && prot != (MSHARE_VIEW_READ | MSHARE_VIEW_WRITE))
		return ERR_PTR(-EINVAL);
	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (!S_ISREG(file_inode(file)->i_mode))
		err = -EBADF;
	else if (!is_page_cache(file_inode(file)))
		err = -EOPNOTSUPP;
	else
		err = mshim_may_map(file, prot & MSHARE_VIEW_WRITE);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}
