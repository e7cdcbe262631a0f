/* SPDX-License-Identifier: MIT */
/* A file on a disk, and which of its pages wait to be written there. */
#ifndef TEST_FLUSH_DIRTY_H
#define TEST_FLUSH_DIRTY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A nameless file of `size` bytes, without blocks, where write-back means something: in the
 * directory MSHARE_TEST_DISK, or the working directory, or /var/tmp. Exits with 77 if all of them
 * are in memory. */
int disk_file(uint64_t size);

/* The same file once more, opened for reading. */
int reopen_read_only(int fd);

/*
 * One page of the file in a shared mapping of its own, which stays while the test runs, so that
 * write-back has to look through page tables. Guards on both sides keep the kernel from merging
 * two views.
 */
struct page_view {
	volatile char *byte; /* the one at the offset asked for */
	char *area;
};

struct page_view view_open(int fd, uint64_t off);
void view_close(struct page_view *view);

/* Changes the byte. */
void view_store(struct page_view *view);

/* Whether the page waits for write-back: page or page-table entry dirty in /proc/self/smaps. */
bool view_is_dirty(const struct page_view *view);

/* Pages in [off, off+len) that are dirty or being written, by cachestat(2); -1 before Linux 6.5. */
long unwritten_pages(int fd, uint64_t off, uint64_t len);

/* Shared mappings in /proc/self/maps (others come and go with malloc) and entries in
 * /proc/self/fd. */
unsigned int count_shared_mappings(void);
unsigned int count_descriptors(void);

#endif
