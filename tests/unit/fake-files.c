/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"

enum { FILES = 64, DESCRIPTORS = 64, FIRST_FD = 100 };
#define SHM_DIR "/dev/shm"
#define HUGE_DIR "/dev/hugepages"

static struct fake_file files[FILES];
static struct {
	struct fake_file *file;
	int flags;
} descriptors[DESCRIPTORS];

static struct fake_file *new_file(enum fake_kind kind, uint64_t page_size)
{
	for (size_t i = 0; i < FILES; i++) {
		if (files[i].uses == 0) {
			files[i] = (struct fake_file){ .kind = kind, .page_size = page_size };
			return &files[i];
		}
	}
	return NULL;
}

void fake_file_use(struct fake_file *file)
{
	file->uses++;
}

void fake_file_drop(struct fake_file *file)
{
	if (--file->uses == 0 && file->reserved)
		fake_pool_give(file->page_size, file->reserved);
}

static int new_fd(struct fake_file *file, int flags)
{
	for (int i = 0; file && i < DESCRIPTORS; i++) {
		if (!descriptors[i].file) {
			descriptors[i].file = file;
			descriptors[i].flags = flags;
			fake_file_use(file);
			return FIRST_FD + i;
		}
	}
	return -EMFILE;
}

struct fake_file *fake_file_of(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + DESCRIPTORS ? descriptors[fd - FIRST_FD].file
							     : NULL;
}

bool fake_fd_writable(int fd)
{
	return (descriptors[fd - FIRST_FD].flags & O_ACCMODE) == O_RDWR;
}

int fake_make_fd(enum fake_kind kind, uint64_t size, int flags)
{
	struct fake_file *file = new_file(kind, kind == FAKE_HUGE ? FAKE_PMD : 0);
	int fd = new_fd(file, flags);

	if (fd >= 0)
		file->size = size;
	return fd;
}

static struct fake_file *find(const char *path)
{
	for (size_t i = 0; i < FILES; i++)
		if (files[i].uses && strcmp(files[i].path, path) == 0)
			return &files[i];
	return NULL;
}

static bool dir_exists(const char *path)
{
	if (strncmp(path, SHM_DIR, strlen(SHM_DIR)) == 0)
		return !fake.no_shm;
	return strncmp(path, HUGE_DIR, strlen(HUGE_DIR)) == 0 && fake.hugetlbfs;
}

static struct fake_file *make_in(const char *path)
{
	bool huge = strncmp(path, HUGE_DIR, strlen(HUGE_DIR)) == 0;
	struct fake_file *file = new_file(huge ? FAKE_HUGE : FAKE_SHMEM, huge ? FAKE_PMD : 0);

	if (file)
		file->in_shm = !huge;
	return file;
}

static void give_name(struct fake_file *file, const char *path)
{
	snprintf(file->path, sizeof(file->path), "%s", path);
	fake_file_use(file);
}

static int open_plain(const char *path, int flags)
{
	struct fake_file *file = find(path);
	int err = fake_fault_here("open", (int[]){ EACCES, EMFILE, ENFILE, ENOMEM, 0 });

	if (err)
		return err;
	return file ? new_fd(file, flags) : -ENOENT;
}

static int open_new(const char *path, int flags)
{
	int err = fake_fault_here("open new", (int[]){ EACCES, EPERM, EMFILE, ENFILE, ENOMEM,
						       ENOSPC, EROFS, EDQUOT, 0 });
	int fd;

	if (err)
		return err;
	if (find(path))
		return -EEXIST;
	fd = new_fd(make_in(path), flags);
	if (fd >= 0)
		give_name(fake_file_of(fd), path);
	return fd;
}

static int open_unnamed(const char *path, int flags)
{
	int err = fake_fault_here("open unnamed", (int[]){ EACCES, EPERM, EMFILE, ENFILE, ENOMEM,
							   ENOSPC, EROFS, EOPNOTSUPP, EISDIR, 0 });

	if (err)
		return err;
	return fake.no_tmpfile ? -EOPNOTSUPP : new_fd(make_in(path), flags);
}

static int open_pagemap(int flags)
{
	int err = fake_fault_here("open pagemap", (int[]){ EMFILE, EACCES, 0 });

	return err ? err : new_fd(new_file(FAKE_PAGEMAP, 0), flags);
}

int sys_open(const char *path, int flags, mode_t mode)
{
	(void)mode;
	if (strcmp(path, "/proc/self/pagemap") == 0)
		return open_pagemap(flags);
	if (!dir_exists(path))
		return -ENOENT;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return open_unnamed(path, flags);
	return flags & O_CREAT ? open_new(path, flags) : open_plain(path, flags);
}

int sys_memfd_create(const char *name, unsigned int flags)
{
	uint64_t page_size = flags & MFD_HUGETLB ? (uint64_t)1 << (flags >> MFD_HUGE_SHIFT) : 0;
	int err = FAULT(EMFILE, ENFILE, ENOMEM, EINVAL, EACCES);

	(void)name;
	return err ? err : new_fd(new_file(page_size ? FAKE_HUGE : FAKE_SHMEM, page_size), O_RDWR);
}

int sys_dup(int fd)
{
	int err = FAULT(EMFILE);

	if (!fake_file_of(fd))
		return -EBADF;
	return err ? err : new_fd(fake_file_of(fd), descriptors[fd - FIRST_FD].flags);
}

int sys_close(int fd)
{
	struct fake_file *file = fake_file_of(fd);

	if (!file)
		return -EBADF;
	descriptors[fd - FIRST_FD].file = NULL;
	fake_file_drop(file);
	return 0;
}

int sys_fstat(int fd, struct stat *st)
{
	const struct fake_file *file = fake_file_of(fd);
	int err = FAULT(ENOMEM);

	if (!file)
		return -EBADF;
	*st = (struct stat){ .st_mode = (file->kind == FAKE_PIPE ? S_IFIFO : S_IFREG) | 0600,
			     .st_size = (off_t)file->size,
			     .st_blksize = file->page_size ? (blksize_t)file->page_size : 4096,
			     .st_dev = file->in_shm		  ? 25
				       : file->kind == FAKE_SHMEM ? 1
								  : 30,
			     .st_ino = 1000 + (ino_t)(file - files) };
	return err;
}

int sys_stat(const char *path, struct stat *st)
{
	int err = FAULT(EACCES, ENOMEM);

	memset(st, 0, sizeof(*st));
	return err ? err : find(path) ? 0 : -ENOENT;
}

int sys_fs_type(int fd, uint64_t *type)
{
	static const uint64_t types[] = { TMPFS_MAGIC, HUGETLBFS_MAGIC, EXT4_SUPER_MAGIC,
					  PIPEFS_MAGIC, PROC_SUPER_MAGIC };
	const struct fake_file *file = fake_file_of(fd);
	int err = FAULT(ENOMEM);

	if (!file)
		return -EBADF;
	*type = types[file->kind];
	return err;
}

int sys_fs_space(const char *path, uint64_t *total, uint64_t *free_bytes)
{
	int err = FAULT(EACCES, ENOMEM);

	if (err || !dir_exists(path))
		return err ? err : -ENOENT;
	*total = *free_bytes = fake.shm_free ? fake.shm_free : UINT64_MAX;
	return 0;
}

int sys_ftruncate(int fd, off_t size)
{
	int err = FAULT(EFBIG, EINVAL, ENOMEM, ENOSPC, EPERM);

	if (!err)
		fake_file_of(fd)->size = (uint64_t)size;
	return err;
}

int sys_fchmod(int fd, mode_t mode)
{
	(void)mode;
	return fake_file_of(fd) ? FAULT(EPERM) : -EBADF;
}

int sys_punch_hole(int fd, off_t off, off_t len)
{
	(void)off;
	(void)len;
	return fake_file_of(fd) ? FAULT(EOPNOTSUPP, ENOSYS, EPERM, EIO, ENOMEM, ENOSPC) : -EBADF;
}

int sys_link_fd(int fd, const char *path)
{
	int err = FAULT(EEXIST, ENOENT, EACCES, EPERM, ENOSPC, ENOMEM, EROFS, EDQUOT);

	if (err)
		return err;
	if (find(path))
		return -EEXIST;
	give_name(fake_file_of(fd), path);
	return 0;
}

int sys_unlink(const char *path)
{
	struct fake_file *file = find(path);
	int err = fake_cleanup_fails ? FAULT(EACCES, EPERM, ENOENT, EROFS, ENOMEM) : 0;

	if (err || !file)
		return err ? err : -ENOENT;
	file->path[0] = '\0';
	fake_file_drop(file);
	return 0;
}

int sys_open_mode(int fd)
{
	return fake_file_of(fd) ? descriptors[fd - FIRST_FD].flags & O_ACCMODE : -EBADF;
}

int sys_seals(int fd)
{
	return fake_file_of(fd) ? fake_file_of(fd)->seals : -EBADF;
}

int sys_fdatasync(int fd)
{
	return fake_file_of(fd) ? FAULT(EIO, ENOSPC, EDQUOT) : -EBADF;
}

ssize_t sys_pread(int fd, void *buf, size_t len, off_t off)
{
	int err = FAULT(EIO, ENOMEM);

	(void)off;
	if (!fake_file_of(fd) || err)
		return err ? err : -EBADF;
	memset(buf, 0xff, len); /* pagemap: every page is present */
	return (ssize_t)len;
}

off_t sys_seek_data(int fd, off_t off)
{
	return fake_file_of(fd) ? off : -EBADF;
}

int sys_ofd_lock(int fd, bool exclusive, off_t byte)
{
	int err = FAULT(EAGAIN, ENOLCK, EINVAL);

	(void)byte;
	if (!fake_file_of(fd) || err)
		return err ? err : -EBADF;
	return exclusive && fake_file_of(fd)->served ? -EAGAIN : 0;
}

int sys_ofd_unlock(int fd, off_t byte)
{
	(void)byte;
	return fake_file_of(fd) ? 0 : -EBADF;
}

int sys_ofd_test(int fd, off_t byte)
{
	int err = FAULT(EINVAL);

	(void)byte;
	if (!fake_file_of(fd) || err)
		return err ? err : -EBADF;
	return fake_file_of(fd)->served;
}

struct fake_usage fake_usage(void)
{
	struct fake_usage usage = { .pool_pmd = fake.pool_pmd,
				    .pool_pud = fake.pool_pud,
				    .allocations = fake_live_allocations() };

	for (size_t i = 0; i < DESCRIPTORS; i++)
		usage.descriptors += descriptors[i].file != NULL;
	for (size_t i = 0; i < FILES; i++) {
		usage.files += files[i].uses > 0;
		usage.names += files[i].uses && files[i].path[0];
	}
	fake_memory_usage(&usage);
	return usage;
}
