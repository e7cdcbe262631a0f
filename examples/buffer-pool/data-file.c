/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1 /* mkostemp() */
#include "data-file.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGES_PER_WRITE 128

/* A step of FNV-1a on whole words: one multiplication each, and every bit counts. */
static uint64_t checksum(const uint64_t *words, size_t count, uint64_t seed)
{
	uint64_t sum = seed ^ 0xcbf29ce484222325;

	for (size_t i = 0; i < count; i++) {
		sum = (sum ^ words[i]) * 0x100000001b3;
		sum ^= sum >> 32;
	}
	return sum;
}

static uint64_t row_checksum(const struct row *row)
{
	return checksum(row->values, sizeof(row->values) / sizeof(row->values[0]), row->key);
}

static uint64_t page_checksum(const struct page *page)
{
	const size_t skipped = offsetof(struct page, reserved);

	return checksum(page->reserved, (sizeof(*page) - skipped) / sizeof(uint64_t), page->number);
}

bool row_is_right(const struct row *row, uint64_t key)
{
	return row->key == key && row->check == row_checksum(row);
}

bool page_is_right(const struct page *page, uint64_t number)
{
	return page->number == number && page->check == page_checksum(page);
}

static void fill_page(struct page *page, uint64_t number)
{
	*page = (struct page){ .number = number };
	for (uint64_t r = 0; r < ROWS_PER_PAGE; r++) {
		struct row *row = &page->rows[r];

		row->key = number * ROWS_PER_PAGE + r;
		for (uint64_t v = 0; v < sizeof(row->values) / sizeof(row->values[0]); v++)
			row->values[v] = (row->key + v) * 0x9e3779b97f4a7c15;
		row->check = row_checksum(row);
	}
	page->check = page_checksum(page);
}

static bool write_pages(int fd, struct page *buffer, uint64_t pages)
{
	for (uint64_t first = 0; first < pages; first += PAGES_PER_WRITE) {
		uint64_t count = pages - first < PAGES_PER_WRITE ? pages - first : PAGES_PER_WRITE;
		size_t bytes = count * sizeof(*buffer);
		ssize_t written;

		for (uint64_t i = 0; i < count; i++)
			fill_page(&buffer[i], first + i);
		written = pwrite(fd, buffer, bytes, (off_t)(first * sizeof(*buffer)));
		if (written != (ssize_t)bytes) {
			if (written >= 0)
				errno = ENOSPC; /* a short write to a file */
			return false;
		}
	}
	return true;
}

/* A file whose name is gone before anything is in it, so that nothing stays after a crash. */
static int open_nameless(const char *directory)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/buffer-pool.XXXXXX", directory) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int data_file_make(const char *directory, uint64_t pages)
{
	struct page *buffer = malloc(PAGES_PER_WRITE * sizeof(*buffer));
	int fd = buffer ? open_nameless(directory) : -1;
	int error = 0;

	if (fd < 0 || !write_pages(fd, buffer, pages))
		error = errno;
	free(buffer);
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

bool data_file_read(int fd, uint64_t number, struct page *page)
{
	ssize_t got;

	do
		got = pread(fd, page, sizeof(*page), (off_t)(number * sizeof(*page)));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		warn("cannot read page %llu", (unsigned long long)number);
	else if (got != sizeof(*page))
		warnx("page %llu is cut short", (unsigned long long)number);
	else if (!page_is_right(page, number))
		warnx("page %llu has a wrong checksum in the file", (unsigned long long)number);
	else
		return true;
	return false;
}
