/* SPDX-License-Identifier: MIT */
#include "backing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "log.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

int backing_check_name(const char *name)
{
	size_t length = strlen(name);

	if (name[0] != '/' || length < 2)
		return fail(-EINVAL, "name \"%.64s\" does not start with a slash and a letter",
			    name);
	if (strchr(name + 1, '/'))
		return fail(-EINVAL, "name \"%.64s\" has more than one slash", name);
	if (!strcmp(name, "/.") || !strcmp(name, "/.."))
		return fail(-EINVAL, "name \"%s\" is a directory", name);
	if (length - 1 > NAME_MAX)
		return fail(-ENAMETOOLONG, "name has %zu bytes after the slash, %d are allowed",
			    length - 1, NAME_MAX);
	return 0;
}

static int join(char *path, const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/*
 * Does something with the name in /dev/shm and, as long as it is not there, in each mount of
 * hugetlbfs. That the list of mounts cannot be read for lack of memory or descriptors is an error
 * of its own: "no such name" might be wrong.
 */
static int in_each_dir(int (*act)(const char *dir, const char *name, int oflag), const char *name,
		       int oflag)
{
	char dir[PATH_MAX] = BACKING_SHM_DIR;
	int result = act(dir, name, oflag);
	int err = 0;

	for (unsigned int i = 0; result == -ENOENT && !err; i++) {
		err = backing_hugetlb_dir(0, i, dir);
		if (!err)
			result = act(dir, name, oflag);
	}
	return err && err != -ENOENT ? err : result;
}

/* Where we may not look, we cannot make the name either. */
static int find_in(const char *dir, const char *name, int oflag)
{
	struct stat st;
	char path[PATH_MAX];
	int err = join(path, dir, name);

	(void)oflag;
	if (!err)
		err = sys_stat(path, &st);
	return err && err != -ENOMEM ? -ENOENT : err;
}

/* 0: nobody has the name; -EEXIST or -errno. */
static int check_free(const char *name)
{
	int err = in_each_dir(find_in, name, 0);

	if (!err)
		return -EEXIST;
	return err == -ENOENT ? 0 : err;
}

static int give_size(int fd, uint64_t size, bool reserve)
{
	int err = sys_ftruncate(fd, (off_t)size);

	return err || !reserve ? err : backing_reserve(fd, size);
}

/*
 * Without O_TMPFILE or /proc the object appears before it is complete; a failure removes it again.
 */
static int make_visible_file(const char *path, mode_t mode, uint64_t size, bool reserve)
{
	cleanup_fd int fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	int err;

	if (fd < 0)
		return fd;
	err = give_size(fd, size, reserve);
	if (err) {
		sys_unlink(path);
		return err;
	}
	return keep_fd(&fd);
}

int backing_make_file(const char *dir, const struct region_request *req, uint64_t size,
		      bool reserve)
{
	cleanup_fd int fd = -1;
	char path[PATH_MAX];
	int err = join(path, dir, req->name);

	if (!err)
		err = check_free(req->name);
	if (err)
		return err;
	fd = sys_open(dir, O_TMPFILE | O_RDWR, req->attr.mode);
	if (fd == -EOPNOTSUPP || fd == -EISDIR)
		return req->unlinked ? -EOPNOTSUPP
				     : make_visible_file(path, req->attr.mode, size, reserve);
	if (fd < 0)
		return fd;
	err = give_size(fd, size, reserve);
	if (!err && !req->unlinked)
		err = sys_link_fd(fd, path);
	if (err == -ENOENT) /* no /proc */
		return make_visible_file(path, req->attr.mode, size, reserve);
	return err ? err : keep_fd(&fd);
}

/* The old flags where vm.memfd_noexec and its flag do not exist. Seals stay possible either way. */
int backing_memfd(uint64_t size)
{
	cleanup_fd int fd = sys_memfd_create("mshare", MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int err;

	if (fd == -EINVAL)
		fd = sys_memfd_create("mshare", MFD_ALLOW_SEALING);
	if (fd < 0)
		return fd;
	err = give_size(fd, size, false);
	return err ? err : keep_fd(&fd);
}

/* Refuses now what would be a SIGBUS later. */
static int check_space(const struct region_request *req)
{
	char need[SIZE_TEXT];
	char have[SIZE_TEXT];
	uint64_t total;
	uint64_t free_bytes;

	if ((req->attr.flags & MSHARE_NORESERVE) ||
	    sys_fs_space(BACKING_SHM_DIR, &total, &free_bytes) || req->size <= free_bytes)
		return 0;
	return fail(-ENOSPC,
		    "region needs %s, " BACKING_SHM_DIR
		    " has %s free: mount -o remount,size=... " BACKING_SHM_DIR,
		    size_text(req->size, need), size_text(free_bytes, have));
}

int backing_create_error(int err, const struct region_request *req)
{
	const char *name = req->name ? req->name : "(memfd)";

	if (err == -EEXIST)
		return fail(err, "region \"%s\" exists", name);
	if (err == -ENOENT)
		return fail(err, "region \"%s\": there is no " BACKING_SHM_DIR, name);
	if (err == -EACCES || err == -EPERM || err == -EROFS)
		return fail(err == -EROFS ? -EACCES : err,
			    "region \"%s\": no right to create files in " BACKING_SHM_DIR, name);
	if (err == -EDQUOT)
		return fail(-ENOSPC, "region \"%s\": a quota of the file system is used up", name);
	if (err == -EAGAIN)
		return fail(-ENOMEM,
			    "region \"%s\": its pages cannot be locked as mlockall(MCL_FUTURE) "
			    "asks: RLIMIT_MEMLOCK",
			    name);
	if (err == -EFBIG)
		return fail(-EOVERFLOW,
			    "region \"%s\": %zu bytes are more than the file system or "
			    "RLIMIT_FSIZE allows",
			    name, req->size);
	if (err == -EMFILE || err == -ENFILE)
		return fail(err, "region \"%s\": no file descriptor is left", name);
	return fail(err, "region \"%s\" of %zu bytes cannot be created (error %d)", name, req->size,
		    -err);
}

int backing_create_shmem(struct region *r, const struct region_request *req)
{
	uint64_t size;
	int err = align_size(page_sizes(), req->size, (int)req->attr.align, &size);
	int fd;

	if (err)
		return fail(err, "size %zu does not fit a file offset once aligned", req->size);
	err = req->name ? check_space(req) : 0;
	if (err)
		return err;
	fd = req->name ? backing_make_file(BACKING_SHM_DIR, req, size, false) : backing_memfd(size);
	if (fd < 0)
		return backing_create_error(fd, req);
	r->fd = fd;
	r->size = size;
	return 0;
}

static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

/* Not a regular file under that name: as shm_open(3) sees it, a name that is none. */
static bool is_foreign(int err)
{
	return err == -EISDIR || err == -ELOOP || err == -ENXIO || err == -ENODEV;
}

static bool is_forbidden(int err)
{
	return err == -EACCES || err == -EPERM || err == -EROFS;
}

/* done: "opened", "removed" */
static int name_error(int err, const char *name, const char *done)
{
	if (err == -ENOENT)
		return fail(err, "region \"%s\" does not exist", name);
	if (is_foreign(err))
		return fail(-EINVAL, "\"%s\" is not a regular file", name);
	if (is_shortage(err))
		return fail(err, "region \"%s\" cannot be %s: no %s is left", name, done,
			    err == -ENOMEM ? "memory" : "file descriptor");
	return fail(err, "region \"%s\" cannot be %s (error %d)", name, done, -err);
}

static int open_in(const char *dir, const char *name, int oflag)
{
	cleanup_fd int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int err = join(path, dir, name);

	if (err)
		return err;
	fd = sys_open(path, oflag | O_NOFOLLOW | O_NONBLOCK, 0);
	err = fd < 0 ? fd : sys_fstat(fd, &st);
	if (!err && !S_ISREG(st.st_mode))
		err = -ENODEV;
	return err ? err : keep_fd(&fd);
}

int backing_open(const char *name, int oflag)
{
	int fd = in_each_dir(open_in, name, oflag);

	if (is_forbidden(fd))
		return fail(-EACCES, "region \"%s\": no right to open it %s", name,
			    oflag == O_RDONLY ? "for reading" : "for reading and writing");
	return fd < 0 ? name_error(fd, name, "opened") : fd;
}

static int unlink_in(const char *dir, const char *name, int oflag)
{
	char path[PATH_MAX];
	int err = join(path, dir, name);

	(void)oflag;
	return err ? err : sys_unlink(path);
}

int backing_unlink(const char *name)
{
	int err = in_each_dir(unlink_in, name, 0);

	if (is_forbidden(err))
		return fail(err == -EROFS ? -EACCES : err, "region \"%s\": no right to remove it",
			    name);
	return err ? name_error(err, name, "removed") : 0;
}

static int inspect_mode(int fd, struct region *r)
{
	int mode = sys_open_mode(fd);

	if (mode < 0)
		return fail(mode, "descriptor %d is not open, or open with O_PATH", fd);
	if (mode == O_WRONLY)
		return fail(-EACCES, "descriptor %d is not open for reading", fd);
	r->writable = mode == O_RDWR;
	return 0;
}

int backing_inspect(int fd, struct region *r)
{
	uint64_t type;
	struct stat st;
	int err = inspect_mode(fd, r);

	if (err)
		return err;
	err = sys_fstat(fd, &st);
	if (!err)
		err = sys_fs_type(fd, &type);
	if (err)
		return fail(err, "descriptor %d cannot be inspected (error %d)", fd, -err);
	if (!S_ISREG(st.st_mode))
		return fail(-ENODEV, "descriptor %d is not a file that can be mapped shared", fd);
	if (st.st_size == 0)
		return fail(-EINVAL, "the file behind descriptor %d has size 0", fd);
	r->kind = type == TMPFS_MAGIC	    ? REGION_SHMEM
		  : type == HUGETLBFS_MAGIC ? REGION_HUGETLB
					    : REGION_FILE;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	r->size = (uint64_t)st.st_size;
	if (r->kind == REGION_HUGETLB) /* hugetlbfs reports its page size as the block size */
		r->page_size = (uint64_t)st.st_blksize;
	return 0;
}
