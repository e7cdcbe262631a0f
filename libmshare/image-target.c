/* SPDX-License-Identifier: MIT */
#include "image-target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

/* With 64 random bits the first is free, unless somebody foresees them. */
#define ATTEMPTS 8

int target_failed(const struct image_target *t, int err, const char *what)
{
	return fail(err, "\"%s\" %s: %s", t->path, what, strerror(-err));
}

/* Splits "dir/base" in the copy; the directory, "." if there is none, or NULL: no file's name. */
static const char *split(struct image_target *t)
{
	char *slash = strrchr(t->copy, '/');

	t->base = slash ? slash + 1 : t->copy;
	if (!*t->base || !strcmp(t->base, ".") || !strcmp(t->base, ".."))
		return NULL;
	if (!slash)
		return ".";
	*slash = '\0';
	return slash == t->copy ? "/" : t->copy;
}

static int open_dir(struct image_target *t, int dirfd)
{
	const char *dir;

	if (!t->path || !*t->path)
		return fail(-EINVAL, "save: the path is %s", t->path ? "empty" : "NULL");
	if (strlen(t->path) >= sizeof(t->copy))
		return fail(-ENAMETOOLONG, "save: the path has %zu bytes, more than %d",
			    strlen(t->path), PATH_MAX - 1);
	memcpy(t->copy, t->path, strlen(t->path) + 1);
	dir = split(t);
	if (!dir)
		return fail(-EINVAL, "\"%s\" is a directory's name, not a file's", t->path);
	t->dir = sys_openat(dirfd, dir, O_RDONLY | O_DIRECTORY, 0);
	t->dir_is_path = t->dir == -EACCES;
	if (t->dir_is_path)
		t->dir = sys_openat(dirfd, dir, O_PATH | O_DIRECTORY, 0);
	return t->dir < 0 ? target_failed(t, t->dir, "cannot be saved: its directory") : 0;
}

/* The region would go on without a name, and who opens it next would take the image for it. */
static int check_regular(const struct image_target *t, const struct region *r,
			 const struct stat *st)
{
	if (st->st_dev == r->dev && st->st_ino == r->ino)
		return fail(-EINVAL, "\"%s\" is the region's own file: save it to another one",
			    t->path);
	return 0;
}

/* Renaming would replace anything: only a file of the kind that we make may go. */
static int check_present(const struct image_target *t, const struct region *r)
{
	struct stat st;
	int err = sys_statat(t->dir, t->base, &st);

	if (err)
		return err == -ENOENT ? 0 : target_failed(t, err, "cannot be saved");
	if (S_ISREG(st.st_mode))
		return check_regular(t, r, &st);
	if (S_ISDIR(st.st_mode))
		return fail(-EISDIR, "\"%s\" is a directory", t->path);
	if (S_ISLNK(st.st_mode))
		return fail(-ELOOP, "\"%s\" is a symbolic link: name the file that it leads to",
			    t->path);
	return fail(-EINVAL, "\"%s\" exists and is not a regular file", t->path);
}

static int pick_temporary(struct image_target *t)
{
	uint64_t number;
	int err = sys_random(&number);

	if (!err)
		snprintf(t->temporary, sizeof(t->temporary), ".mshare-save-%016" PRIx64, number);
	return err;
}

/* O_EXCL: never through a link, never an existing file. */
static int make_named(struct image_target *t, mode_t mode)
{
	int err = -EEXIST;

	for (int i = 0; i < ATTEMPTS && err == -EEXIST; i++) {
		err = pick_temporary(t);
		if (!err)
			err = sys_openat(t->dir, t->temporary, O_RDWR | O_CREAT | O_EXCL, mode);
	}
	if (err < 0)
		t->temporary[0] = '\0';
	return err;
}

static bool is_unsupported(int err)
{
	return err == -EOPNOTSUPP || err == -EISDIR || err == -EINVAL || err == -ENOENT;
}

/* A file without a name can get one only through /proc. */
static int make_file(struct image_target *t, mode_t mode)
{
	struct stat st;
	int fd = -EOPNOTSUPP;

	if (sys_stat("/proc/self/fd", &st) == 0)
		fd = sys_openat(t->dir, ".", O_TMPFILE | O_RDWR, mode);
	if (is_unsupported(fd)) {
		debug("\"%s\" is saved under a temporary name: %s", t->path, strerror(-fd));
		fd = make_named(t, mode);
	}
	t->fd = fd;
	return fd < 0 ? target_failed(t, fd, "cannot be saved: no file can be made beside it") : 0;
}

int target_open(struct image_target *t, const struct region *r, int dirfd, const char *path,
		mode_t mode)
{
	int err;

	*t = (struct image_target){ .path = path, .dir = -1, .fd = -1 };
	err = open_dir(t, dirfd);
	if (!err)
		err = check_present(t, r);
	if (!err)
		err = make_file(t, mode);
	if (err)
		target_close(t);
	return err;
}

/* That all of it cannot be had says little: pages that are zero will not be written. */
int target_make_room(struct image_target *t, uint64_t size)
{
	int err;

	if (size <= t->size)
		return 0;
	err = sys_allocate(t->fd, (off_t)t->size, (off_t)(size - t->size));
	if (err) {
		debug("\"%s\": no space is reserved for it: %s", t->path, strerror(-err));
		err = sys_ftruncate(t->fd, (off_t)size);
	}
	if (err)
		return target_failed(t, err, "cannot be as long as it has to be");
	t->size = size;
	return 0;
}

/* A name for what has none, to be renamed at once: linking cannot replace a file. */
static int link_temporary(struct image_target *t)
{
	int err = -EEXIST;

	for (int i = 0; i < ATTEMPTS && err == -EEXIST; i++) {
		err = pick_temporary(t);
		if (!err)
			err = sys_link_fd_at(t->fd, t->dir, t->temporary);
	}
	if (err)
		t->temporary[0] = '\0';
	return err;
}

/* A directory that we may not read is synced with all of its file system. */
static int sync_dir(const struct image_target *t)
{
	int err = t->dir_is_path ? sys_syncfs(t->fd) : sys_fsync(t->dir);

	if (err)
		return target_failed(t, err,
				     "is complete and has its name, which a crash may take away: "
				     "its directory cannot be made durable");
	return 0;
}

/*
 * The contents are out already, but for btrfs of Linux 6.1 and 6.12: its log leaves out files
 * without a name, and has a name that was linked or renamed later with an empty file. Renamed like
 * that, a power failure would take the old file and the new one. It costs a journal commit
 * elsewhere.
 */
static int link_durably(struct image_target *t)
{
	int err = link_temporary(t);

	if (err)
		return target_failed(t, err, "cannot be given its name");
	err = sys_fsync(t->fd);
	return err ? target_failed(t, err, "cannot be made durable") : 0;
}

int target_publish(struct image_target *t, uint64_t size)
{
	int err = sys_ftruncate(t->fd, (off_t)size);

	if (!err)
		err = sys_fsync(t->fd);
	if (err)
		return target_failed(t, err, "cannot be made durable");
	if (!t->temporary[0])
		err = link_durably(t);
	if (err)
		return err;
	err = sys_renameat(t->dir, t->temporary, t->base);
	if (err)
		return target_failed(t, err, "cannot be given its name");
	t->temporary[0] = '\0';
	return sync_dir(t);
}

void target_close(struct image_target *t)
{
	if (t->temporary[0] && sys_unlinkat(t->dir, t->temporary))
		debug("\"%s\" could not be removed again", t->temporary);
	if (t->fd >= 0)
		sys_close(t->fd);
	if (t->dir >= 0)
		sys_close(t->dir);
}
