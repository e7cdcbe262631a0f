/* SPDX-License-Identifier: MIT */
/* The files behind regions that have no name: reached through the processes that use them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "census.h"

#define PROC_PATH_SIZE 320

static bool is_it(const struct census_region *r, const struct stat *file)
{
	return S_ISREG(file->st_mode) && file->st_ino == r->ino && file->st_dev == r->dev;
}

/* A path that leads to the object; opened only if it does. -ENOENT: it does not. */
static int open_path(const struct census_region *r, const char *path, int flags)
{
	struct stat file;
	cleanup_fd int fd = -1;

	if (stat(path, &file) || !is_it(r, &file))
		return -ENOENT;
	fd = sys_open(path, flags | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	/* Between the two the path may have come to mean another file. */
	if (sys_fstat(fd, &file) || !is_it(r, &file))
		return -ENOENT;
	return keep_fd(&fd);
}

static int open_descriptor(const struct census_region *r, pid_t pid, int flags)
{
	char path[PROC_PATH_SIZE];
	const struct dirent *entry;
	int fd = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
		fd = open_path(r, path, flags);
	}
	closedir(dir);
	return fd;
}

/* For those who have closed the descriptor; wants CAP_CHECKPOINT_RESTORE. */
static int open_mapping(const struct census_region *r, int flags)
{
	char path[PROC_PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)r->map_pid,
		 (unsigned long)r->map_start, (unsigned long)r->map_end);
	return open_path(r, path, flags);
}

int census_open(const struct census_region *r, int flags)
{
	int fd = -ENOENT;

	if (r->path && r->path[0] == '/')
		fd = open_path(r, r->path, flags);
	if (fd == -ENOENT && r->witness)
		fd = open_descriptor(r, r->witness, flags);
	if (fd == -ENOENT && r->map_pid)
		fd = open_mapping(r, flags);
	return fd;
}

static enum memory memory_of(uint64_t type)
{
	if (type == HUGETLBFS_MAGIC)
		return MEMORY_HUGETLB;
	return type == TMPFS_MAGIC ? MEMORY_SHMEM : MEMORY_FILE;
}

static void look_at(struct census_region *r)
{
	cleanup_fd int fd = census_open(r, O_RDONLY);
	struct stat file;
	uint64_t type;

	if (fd < 0 || sys_fstat(fd, &file))
		return;
	r->figures[FIGURE_SIZE] = (uint64_t)file.st_size;
	r->figures[FIGURE_USED] = (uint64_t)file.st_blocks * 512;
	if (!sys_fs_type(fd, &type))
		r->memory = memory_of(type);
}

void census_files(struct census *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].figures[FIGURE_SIZE] == FIGURE_UNKNOWN)
			look_at(&c->list[i]);
	}
}
