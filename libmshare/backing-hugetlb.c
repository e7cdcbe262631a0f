/* SPDX-License-Identifier: MIT */
/* Objects made of hugetlb pages: memfds, and names in hugetlbfs mounts. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/memfd.h>

#include "align.h"
#include "backing.h"
#include "hugelimit.h"
#include "log.h"

/* Enough for thousands of mounts; containers on busy hosts have some hundreds. */
#define MOUNTS_TEXT_SIZE ((size_t)(1 * MIB))

unsigned int backing_hugetlb_flags(uint64_t page_size)
{
	return MFD_HUGETLB | (unsigned int)__builtin_ctzll(page_size) << MFD_HUGE_SHIFT;
}

/* mmap(2) of hugetlb memory reserves pages for the object, which keeps them when the mapping goes.
 */
int backing_reserve(int fd, uint64_t size)
{
	void *addr;
	int err = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0, &addr);

	return err ? err : sys_munmap(addr, size);
}

/* "pagesize=2M": the option every hugetlbfs mount shows since Linux 2.6.28. */
static uint64_t mount_page_size(const struct mntent *mount)
{
	const char *option = hasmntopt(mount, "pagesize");
	char *unit;
	uint64_t value;

	if (!option)
		return 0;
	value = strtoull(option + strlen("pagesize="), &unit, 10);
	switch (*unit) {
	case 'K':
		return value * KIB;
	case 'M':
		return value * MIB;
	case 'G':
		return value * GIB;
	default:
		return value;
	}
}

static int find_mount(FILE *mounts, uint64_t page_size, unsigned int index, char *dir)
{
	char line[PATH_MAX + 1024];
	struct mntent mount;

	while (getmntent_r(mounts, &mount, line, sizeof(line))) {
		if (strcmp(mount.mnt_type, "hugetlbfs") ||
		    (page_size && mount_page_size(&mount) != page_size))
			continue;
		if (index-- == 0)
			return snprintf(dir, PATH_MAX, "%s", mount.mnt_dir) < PATH_MAX
				       ? 0
				       : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int backing_hugetlb_dir(uint64_t page_size, unsigned int index, char *dir)
{
	char *text = malloc(MOUNTS_TEXT_SIZE);
	ssize_t length =
		text ? sys_read_file("/proc/self/mounts", text, MOUNTS_TEXT_SIZE) : -ENOMEM;
	FILE *mounts = length > 0 ? fmemopen(text, (size_t)length, "r") : NULL;
	int err = -ENOENT; /* without /proc, nobody knows of any */

	if (length == -ENOMEM || length == -EMFILE || length == -ENFILE)
		err = (int)length;
	else if (length > 0 && !mounts)
		err = -ENOMEM;
	if (mounts) {
		err = find_mount(mounts, page_size, index, dir);
		fclose(mounts);
	}
	free(text);
	return err;
}

static int make_memfd(uint64_t size, uint64_t page_size)
{
	unsigned int flags = MFD_ALLOW_SEALING | backing_hugetlb_flags(page_size);
	cleanup_fd int fd = sys_memfd_create("mshare", flags);
	int err;

	if (fd < 0)
		return fd;
	err = sys_ftruncate(fd, (off_t)size);
	if (!err)
		err = backing_reserve(fd, size);
	return err ? err : keep_fd(&fd);
}

/* In the first mount of this page size that lets us create files. */
static int make_named(const struct region_request *req, uint64_t size, uint64_t page_size)
{
	char dir[PATH_MAX];
	int err;

	for (unsigned int i = 0; !(err = backing_hugetlb_dir(page_size, i, dir)); i++) {
		int fd = backing_make_file(dir, req, size, true);

		if (fd != -EACCES && fd != -EPERM && fd != -EROFS)
			return fd;
	}
	return err;
}

int backing_create_hugetlb(struct region *r, const struct region_request *req, uint64_t size,
			   uint64_t page_size)
{
	int fd = size > hugelimit_left(page_size, NULL, 0) ? -ENOMEM
		 : req->name				   ? make_named(req, size, page_size)
							   : make_memfd(size, page_size);

	if (fd < 0)
		return fd;
	r->fd = fd;
	r->size = size;
	return 0;
}
