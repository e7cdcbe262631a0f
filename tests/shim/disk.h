/* SPDX-License-Identifier: MIT */
/* Files on a disk: what is on that disk itself, and what of them is in memory. */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#include <stddef.h>

#define DISK_PATH_SIZE 128

/* A file of holes, `size` bytes long; its name is for the caller to unlink. */
int disk_file_in(const char *directory, size_t size, char path[DISK_PATH_SIZE]);

/*
 * A copy of what the block device has of the file, past every cache and file system. What has never
 * been written there is zero. The caller unmaps it.
 */
char *disk_contents(int fd, size_t size);

/* How many pages of the file are in memory; also of shared memory, where others may be in swap. */
size_t cached_pages(int fd, size_t size);

#endif
