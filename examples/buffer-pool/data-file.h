/* SPDX-License-Identifier: MIT */
/*
 * The data file: pages of 8 KiB that carry their number and a checksum, filled with rows that
 * carry theirs. Whoever reads one can tell whether it is what was asked for, and whole.
 */
#ifndef DATA_FILE_H
#define DATA_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 8192
#define ROWS_PER_PAGE 63

struct row {
	uint64_t key;
	uint64_t check; /* over the values */
	uint64_t values[14];
};

struct page {
	uint64_t number;
	uint64_t check; /* over everything behind it */
	uint64_t reserved[14];
	struct row rows[ROWS_PER_PAGE];
};
_Static_assert(sizeof(struct page) == PAGE_BYTES, "a page is what one read brings in");

/* A new file of `pages` pages without a name: it goes with its last descriptor. -1 and errno. */
int data_file_make(const char *directory, uint64_t pages);

/* Reads one page. False and a line on stderr unless it is whole and the right one. */
bool data_file_read(int fd, uint64_t number, struct page *page);

bool page_is_right(const struct page *page, uint64_t number);
bool row_is_right(const struct row *row, uint64_t key);

#endif
