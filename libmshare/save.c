/* SPDX-License-Identifier: MIT */
/*
 * Saving: the chunks that have data are copied into buffers, summed up and written behind each
 * other; then the table and the header, and the file gets its name.
 */
#include "save.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image-target.h"
#include "ioqueue.h"
#include "log.h"
#include "region-bytes.h"
#include "shim-parts.h"

/* Tag of a write that is of no chunk. */
#define NO_CHUNK UINT64_MAX

/* Bytes of holes that are read before the caller is asked again. */
#define SCAN (64 * MIB)

struct save {
	struct region_bytes source;
	struct image_target target;
	struct io_queue *queue;
	struct image_head head;
	struct image_chunk *chunks; /* head.chunks of them */
	uint64_t room; /* for this many */
	uint64_t data; /* bytes of the region in them */
	uint64_t end; /* of the file, so far */
	struct image_progress progress;
};

static int add_chunk(struct save *s, uint64_t number)
{
	struct image_chunk *more;

	if (s->head.chunks == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		more = realloc(s->chunks, s->room * sizeof(*more));
		if (!more)
			return fail(-ENOMEM, "no memory for the table of %" PRIu64 " chunks",
				    s->room);
		s->chunks = more;
	}
	s->chunks[s->head.chunks++] = (struct image_chunk){ .number = number };
	s->data += image_chunk_bytes(s->source.size, number);
	return 0;
}

/* Those with data that begins in [*off, stop); *off: where to go on. */
static int find_some(struct save *s, uint64_t *off, uint64_t stop)
{
	uint64_t start, end;
	int err = 0;

	while (!err && region_bytes_find(&s->source, *off, stop, &start, &end) == 0) {
		uint64_t number = start / IMAGE_CHUNK;
		uint64_t last = (end - 1) / IMAGE_CHUNK;

		for (; !err && number <= last; number++)
			err = add_chunk(s, number);
		*off = (last + 1) * IMAGE_CHUNK;
	}
	*off = *off < stop ? stop : *off;
	return err;
}

/*
 * Which chunks have data: known before the first is written, since the table is in front. Until it
 * is, the caller hears of all of the region: 0 of 0 bytes would be the end.
 */
static int find_chunks(struct save *s)
{
	uint64_t size = s->source.size;
	uint64_t off = 0;
	int err = 0;

	s->progress.total = size;
	while (!err && off < size) {
		bool in_parts = s->source.hides_data && size - off > SCAN;

		err = image_progress_add(&s->progress, 0);
		if (!err)
			err = find_some(s, &off, in_parts ? off + SCAN : size);
	}
	s->progress.total = s->data;
	s->head.region_bytes = s->source.size;
	s->head.data_at = image_data_at(s->head.chunks);
	s->end = s->head.data_at;
	return err;
}

/* What the file is going to need: never more than the chunks have, and their maps. */
static int make_room(struct save *s)
{
	uint64_t most = s->data;
	struct stat st;

	if (sys_fstat(s->source.region->fd, &st) == 0 && st.st_blocks >= 0) {
		uint64_t used = (uint64_t)st.st_blocks * 512 + s->head.chunks * IMAGE_PAGE;

		most = used < most ? used : most;
	}
	return target_make_room(&s->target, s->head.data_at + most);
}

static int write_failed(const struct save *s, const struct io_slot *slot)
{
	const struct image_chunk *chunk = s->chunks + slot->tag;

	if (slot->tag == NO_CHUNK)
		return target_failed(&s->target, slot->err, "cannot be written, at its table");
	return fail(slot->err, "\"%s\" cannot be written, at chunk %" PRIu64 " of the region: %s",
		    s->target.path, chunk->number, strerror(-slot->err));
}

/* 1: one is done, 0: none was under way, or -errno. */
static int finish_one(struct save *s)
{
	const struct io_slot *slot = io_finish(s->queue);
	uint64_t bytes;
	int err;

	if (!slot)
		return 0;
	if (slot->err)
		return write_failed(s, slot);
	bytes = slot->tag == NO_CHUNK
			? 0
			: image_chunk_bytes(s->source.size, s->chunks[slot->tag].number);
	err = bytes ? image_progress_add(&s->progress, bytes) : 0;
	return err ? err : 1;
}

static int finish_all(struct save *s)
{
	int done;

	do
		done = finish_one(s);
	while (done > 0);
	return done;
}

/* A buffer, waiting for one if need be. */
static int get_slot(struct save *s, struct io_slot **slot)
{
	while (!(*slot = io_idle(s->queue))) {
		int done = finish_one(s);

		if (done < 0)
			return done;
	}
	return 0;
}

static int write_at(struct save *s, struct io_slot *slot, uint64_t off, uint64_t tag)
{
	int err = target_make_room(&s->target, off + slot->len);

	if (err)
		return err;
	slot->off = off;
	slot->tag = tag;
	slot->write = true;
	io_start(s->queue, slot);
	return 0;
}

static int save_chunk(struct save *s, uint64_t index)
{
	struct image_chunk *chunk = &s->chunks[index];
	uint64_t bytes = image_chunk_bytes(s->source.size, chunk->number);
	unsigned int pages = image_chunk_pages(s->source.size, chunk->number);
	struct io_slot *slot;
	unsigned char *data;
	int err = get_slot(s, &slot);

	if (err)
		return err;
	data = slot->buffer + IMAGE_PAGE;
	err = region_bytes_read(&s->source, chunk->number * IMAGE_CHUNK, data, bytes);
	if (err)
		return err;
	memset(data + bytes, 0, pages * IMAGE_PAGE - bytes);
	image_pack(chunk, pages, slot->buffer, &slot->bytes);
	chunk->at = s->end;
	s->end += chunk->bytes;
	slot->len = chunk->bytes;
	if (!chunk->bytes)
		return image_progress_add(&s->progress, bytes);
	return write_at(s, slot, chunk->at, index);
}

static int save_chunks(struct save *s)
{
	int err = image_progress_add(&s->progress, 0);

	for (uint64_t i = 0; !err && i < s->head.chunks; i++)
		err = save_chunk(s, i);
	return err ? err : finish_all(s);
}

static void sum_up(struct save *s)
{
	unsigned char entry[IMAGE_ENTRY];

	s->head.file_bytes = s->end;
	s->head.table_crc = 0;
	for (uint64_t i = 0; i < s->head.chunks; i++) {
		image_put_chunk(&s->chunks[i], entry);
		s->head.table_crc = image_sum_entry(s->head.table_crc, entry);
	}
}

/* Bytes [off, off+len) of header and table, whole pages. */
static void put_front(const struct save *s, uint64_t off, uint64_t len, unsigned char *to)
{
	uint64_t first = off ? (off - IMAGE_PAGE) / IMAGE_ENTRY : 0;

	memset(to, 0, len);
	if (off == 0) {
		image_put_head(&s->head, to);
		to += IMAGE_PAGE;
		len -= IMAGE_PAGE;
	}
	for (uint64_t i = 0; i < len / IMAGE_ENTRY && first + i < s->head.chunks; i++)
		image_put_chunk(&s->chunks[first + i], to + i * IMAGE_ENTRY);
}

static int save_front(struct save *s)
{
	uint64_t off = 0;
	int err = 0;

	sum_up(s);
	while (!err && off < s->head.data_at) {
		uint64_t left = s->head.data_at - off;
		struct io_slot *slot;

		err = get_slot(s, &slot);
		if (err)
			break;
		slot->len = (uint32_t)(left < IMAGE_CHUNK ? left : IMAGE_CHUNK);
		slot->bytes = slot->buffer;
		put_front(s, off, slot->len, slot->bytes);
		err = write_at(s, slot, off, NO_CHUNK);
		off += slot->len;
	}
	return err ? err : finish_all(s);
}

static int open_queue(struct save *s, const struct mshare_image_attr *attr)
{
	int err;

	if (sys_set_direct(s->target.fd, !(attr->flags & MSHARE_IMAGE_CACHED)))
		debug("\"%s\": its file system has no O_DIRECT", s->target.path);
	err = io_open(&s->queue, s->target.fd, attr->depth);
	return err ? fail(err, "no memory for %u buffers", attr->depth) : 0;
}

/* With source and target open. */
static int save(struct save *s, struct region *r, const struct mshare_image_attr *attr)
{
	int err = find_chunks(s);

	if (!err)
		err = make_room(s);
	if (!err)
		err = open_queue(s, attr);
	if (!err)
		err = save_chunks(s);
	if (!err)
		err = save_front(s);
	if (!err) {
		atomic_store(&r->uring_used, io_used_ring(s->queue));
		atomic_store(&r->direct_used, io_was_direct(s->queue));
		atomic_store(&r->all_registered, io_registered_all(s->queue));
	}
	io_close(s->queue);
	free(s->chunks);
	return err ? err : target_publish(&s->target, s->head.file_bytes);
}

int region_save(struct region *r, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	struct save s = { .progress = { .attr = attr } };
	int err = target_open(&s.target, r, dirfd, path, (mode_t)attr->mode);

	if (err)
		return err;
	err = shim_refuse_parts(r, "save");
	if (!err)
		err = region_bytes_open(&s.source, r, false);
	if (!err) {
		err = save(&s, r, attr);
		region_bytes_close(&s.source);
	}
	target_close(&s.target);
	return err;
}
