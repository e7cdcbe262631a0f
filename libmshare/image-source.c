/* SPDX-License-Identifier: MIT */
/* Opening an image file: its header and its table. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "save.h"

/* Entries read at a time. */
#define BATCH ((uint64_t)4096)

static int read_failed(const struct image_source *s, int err)
{
	return fail(err, "\"%s\" cannot be read: %s", s->path, strerror(-err));
}

static int read_at(const struct image_source *s, uint64_t off, void *buf, size_t len)
{
	char *at = buf;

	while (len) {
		ssize_t n = sys_pread(s->fd, at, len, (off_t)off);

		if (n == 0)
			return fail(-EBADMSG, "\"%s\" became shorter while it was read", s->path);
		if (n < 0)
			return read_failed(s, (int)n);
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int open_file(struct image_source *s, int dirfd, uint64_t *bytes)
{
	struct stat st;
	int err;

	if (!s->path || !*s->path)
		return fail(-EINVAL, "load: the path is %s", s->path ? "empty" : "NULL");
	/* A pipe or a device must not be waited for. */
	s->fd = sys_openat(dirfd, s->path, O_RDONLY | O_NONBLOCK, 0);
	if (s->fd < 0)
		return fail(s->fd == -ENXIO || s->fd == -ENODEV ? -EINVAL : s->fd,
			    "\"%s\" cannot be opened: %s", s->path, strerror(-s->fd));
	err = sys_fstat(s->fd, &st);
	if (err)
		return read_failed(s, err);
	if (!S_ISREG(st.st_mode))
		return fail(-EINVAL, "\"%s\" is not a regular file", s->path);
	*bytes = (uint64_t)st.st_size;
	return 0;
}

static int read_head(struct image_source *s, uint64_t bytes)
{
	unsigned char page[IMAGE_PAGE] = { 0 };
	int err = bytes < sizeof(page) ? 0 : read_at(s, 0, page, sizeof(page));

	return err ? err : image_get_head(page, bytes, s->path, &s->head);
}

/* The array grows with what was found, not with what the header claims. */
static int read_batch(struct image_source *s, struct image_cursor *cursor, uint64_t count)
{
	unsigned char *entries = malloc(count * IMAGE_ENTRY);
	struct image_chunk *chunks = realloc(s->chunks, (cursor->index + count) * sizeof(*chunks));
	int err = 0;

	if (chunks)
		s->chunks = chunks;
	if (!entries || !chunks)
		err = fail(-ENOMEM, "no memory for a table of %" PRIu64 " chunks", s->head.chunks);
	if (!err)
		err = read_at(s, IMAGE_PAGE + cursor->index * IMAGE_ENTRY, entries,
			      count * IMAGE_ENTRY);
	if (!err)
		err = image_get_entries(cursor, entries, count, chunks + cursor->index);
	free(entries);
	return err;
}

static int read_table(struct image_source *s, uint64_t bytes)
{
	struct image_cursor cursor = { .head = &s->head, .path = s->path, .file_bytes = bytes };
	int err = 0;

	while (!err && cursor.index < s->head.chunks) {
		uint64_t left = s->head.chunks - cursor.index;

		err = read_batch(s, &cursor, left < BATCH ? left : BATCH);
	}
	if (!err)
		err = image_end_table(&cursor);
	for (uint64_t i = 0; !err && i < s->head.chunks; i++)
		s->data_bytes += s->chunks[i].bytes;
	return err;
}

int source_open(struct image_source *s, int dirfd, const char *path)
{
	uint64_t bytes = 0;
	int err;

	*s = (struct image_source){ .path = path, .fd = -1 };
	err = open_file(s, dirfd, &bytes);
	if (!err)
		err = read_head(s, bytes);
	if (!err)
		err = read_table(s, bytes);
	if (err)
		source_close(s);
	return err;
}

void source_close(struct image_source *s)
{
	if (s->fd >= 0)
		sys_close(s->fd);
	free(s->chunks);
}
