/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "view.h"

#define EXTENTS 64
#define NOT_THERE_YET (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNWRITTEN)

int disk_file_in(const char *directory, size_t size, char path[DISK_PATH_SIZE])
{
	int fd;

	snprintf(path, DISK_PATH_SIZE, "%s/shim-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	check(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static int device_of(int fd)
{
	char path[128], name[64];
	struct stat st;
	FILE *uevent;
	bool found = false;
	int device;

	check(fstat(fd, &st) == 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(st.st_dev),
		 minor(st.st_dev));
	uevent = fopen(path, "re");
	check(uevent);
	while (!found && fgets(path, sizeof(path), uevent))
		found = sscanf(path, "DEVNAME=%63s", name) == 1;
	fclose(uevent);
	check(found);
	snprintf(path, sizeof(path), "/dev/%s", name);
	device = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	check(device >= 0);
	return device;
}

static void read_extent(int device, const struct fiemap_extent *extent, char *to, size_t size)
{
	size_t length = extent->fe_length;

	if (extent->fe_flags & NOT_THERE_YET || extent->fe_logical >= size)
		return;
	if (length > size - extent->fe_logical)
		length = size - extent->fe_logical;
	check(pread(device, to + extent->fe_logical, length, (off_t)extent->fe_physical) ==
	      (ssize_t)length);
}

char *disk_contents(int fd, size_t size)
{
	struct fiemap *map = calloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
	char *to = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int device = device_of(fd);
	bool last = false;

	check(map && to != MAP_FAILED);
	while (!last) {
		const struct fiemap_extent *extent = NULL;

		map->fm_length = size - map->fm_start;
		map->fm_extent_count = EXTENTS;
		check(ioctl(fd, FS_IOC_FIEMAP, map) == 0);
		for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
			extent = &map->fm_extents[i];
			read_extent(device, extent, to, size);
		}
		last = !extent || extent->fe_flags & FIEMAP_EXTENT_LAST ||
		       extent->fe_logical + extent->fe_length >= size;
		if (!last)
			map->fm_start = extent->fe_logical + extent->fe_length;
	}
	close(device);
	free(map);
	return to;
}

size_t cached_pages(int fd, size_t size)
{
	unsigned char *present = calloc(size / PAGE, 1);
	char *plain = map_plain(fd, size, READ_ONLY);
	size_t count = 0;

	check(present && mincore(plain, size, present) == 0);
	for (size_t i = 0; i < size / PAGE; i++)
		count += present[i] & 1;
	munmap(plain, size);
	free(present);
	return count;
}
