/* SPDX-License-Identifier: MIT */
/*
 * Loading: every chunk is verified in a buffer before any of it reaches the region. A region that
 * has contents is not touched before all of them have been; one that is empty is filled at once,
 * and emptied when a chunk turns out to be bad.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ioqueue.h"
#include "log.h"
#include "region-bytes.h"
#include "shim-parts.h"
#include "save.h"

struct load {
	struct image_source *source;
	struct region_bytes *target; /* NULL: verify only */
	bool was_empty;
	bool changed; /* the region, in part */
	struct io_queue *queue;
	struct image_progress progress;
};

/* Pages [from, to) of a chunk, in the region, where it ends before. */
struct pages {
	uint64_t off;
	uint64_t len;
};

static struct pages pages_of(const struct load *l, const struct image_chunk *chunk,
			     unsigned int from, unsigned int to)
{
	uint64_t whole = image_chunk_bytes(l->source->head.region_bytes, chunk->number);
	uint64_t begin = from * IMAGE_PAGE;
	uint64_t end = to * IMAGE_PAGE < whole ? to * IMAGE_PAGE : whole;

	return (struct pages){ chunk->number * IMAGE_CHUNK + begin, end - begin };
}

static int clear(struct load *l, uint64_t off, uint64_t len)
{
	uint64_t size = l->target->size;

	if (l->was_empty || off >= size || len == 0)
		return 0;
	l->changed = true;
	return region_bytes_clear(l->target, off, len < size - off ? len : size - off);
}

/* Runs of pages that are there, or not there. */
static int put_pages(struct load *l, const struct image_chunk *chunk, const struct image_map *map,
		     const unsigned char *from)
{
	unsigned int pages = image_chunk_pages(l->source->head.region_bytes, chunk->number);
	int err = 0;

	for (unsigned int i = 0, end; !err && i < pages; i = end) {
		bool present = image_has_page(map, i);
		struct pages run;

		for (end = i + 1; end < pages && image_has_page(map, end) == present; end++)
			;
		run = pages_of(l, chunk, i, end);
		if (present) {
			l->changed = true;
			err = region_bytes_write(l->target, run.off, from, run.len);
			from += (end - i) * IMAGE_PAGE;
		} else {
			err = clear(l, run.off, run.len);
		}
	}
	return err;
}

static int take(struct load *l, const struct io_slot *slot)
{
	const struct image_source *s = l->source;
	const struct image_chunk *chunk = &s->chunks[slot->tag];
	const unsigned char *pages;
	struct image_map map;
	int err;

	if (slot->err)
		return fail(slot->err == -ENODATA ? -EBADMSG : slot->err,
			    "\"%s\" cannot be read, at chunk %" PRIu64 " of the region: %s",
			    s->path, chunk->number,
			    slot->err == -ENODATA ? "the file became shorter"
						  : strerror(-slot->err));
	err = image_get_chunk(&s->head, chunk, slot->bytes, s->path, &map, &pages);
	if (!err && l->target)
		err = put_pages(l, chunk, &map, pages);
	return err ? err : image_progress_add(&l->progress, chunk->bytes);
}

/* 1: one is done, 0: none was under way, or -errno. */
static int finish_one(struct load *l)
{
	const struct io_slot *slot = io_finish(l->queue);
	int err = slot ? take(l, slot) : 0;

	return err ? err : slot != NULL;
}

static int start(struct load *l, uint64_t index)
{
	const struct image_chunk *chunk = &l->source->chunks[index];
	struct io_slot *slot;

	while (!(slot = io_idle(l->queue))) {
		int done = finish_one(l);

		if (done < 0)
			return done;
	}
	slot->bytes = slot->buffer;
	slot->len = chunk->bytes;
	slot->off = chunk->at;
	slot->write = false;
	slot->tag = index;
	io_start(l->queue, slot);
	return 0;
}

/* The file once from beginning to end; with a target, what is between its chunks is cleared. */
static int run(struct load *l)
{
	const struct image_source *s = l->source;
	uint64_t clean = 0; /* the region is as the image up to here, or will be */
	int done, err = 0;

	for (uint64_t i = 0; !err && i < s->head.chunks; i++) {
		const struct image_chunk *chunk = &s->chunks[i];
		uint64_t off = chunk->number * IMAGE_CHUNK;
		uint64_t after = off + image_chunk_bytes(s->head.region_bytes, chunk->number);

		if (l->target)
			err = clear(l, clean, (chunk->bytes ? off : after) - clean);
		if (!err && chunk->bytes)
			err = start(l, i);
		clean = after;
	}
	do
		done = err ? err : finish_one(l);
	while (done > 0);
	if (!done && l->target && clean < l->target->size)
		done = clear(l, clean, l->target->size - clean);
	l->source->by_ring = io_used_ring(l->queue);
	l->source->direct = io_was_direct(l->queue);
	l->source->registered = io_registered_all(l->queue);
	return done;
}

/* Requests that are under way after a failure end in io_close(), before their buffers go. */
static int open_queue(struct load *l)
{
	const struct mshare_image_attr *attr = l->progress.attr;
	int err;

	if (sys_set_direct(l->source->fd, !(attr->flags & MSHARE_IMAGE_CACHED)))
		debug("\"%s\": its file system has no O_DIRECT", l->source->path);
	err = io_open(&l->queue, l->source->fd, attr->depth);
	return err ? fail(err, "no memory for %u buffers", attr->depth) : 0;
}

static int verify(struct load *l)
{
	struct region_bytes *target = l->target;
	int err;

	l->target = NULL;
	err = run(l);
	l->target = target;
	return err;
}

int source_verify(struct image_source *s, const struct mshare_image_attr *attr)
{
	struct load l = { .source = s, .progress = { attr, 0, s->data_bytes, false } };
	int err = open_queue(&l);

	if (!err)
		err = image_progress_add(&l.progress, 0);
	if (!err)
		err = verify(&l);
	io_close(l.queue);
	return err;
}

static int check_rights(const struct region *r)
{
	int seals;

	if (!r->writable)
		return fail(-EACCES, "load: the region was opened for reading only");
	seals = sys_seals(r->fd);
	if (seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return fail(-EPERM, "load: the memfd is sealed against writing (seals 0x%x)",
			    (unsigned int)seals);
	return 0;
}

/* Contents behind the end of the region; holes there are none. */
static int check_fit(const struct image_source *s, const struct region_bytes *target)
{
	for (uint64_t i = s->head.chunks; i; i--) {
		const struct image_chunk *chunk = &s->chunks[i - 1];
		uint64_t end = chunk->number * IMAGE_CHUNK +
			       image_chunk_bytes(s->head.region_bytes, chunk->number);

		if (!chunk->bytes)
			continue;
		if (end > target->size)
			return fail(-ENXIO,
				    "\"%s\" has contents up to %" PRIu64
				    ", the region ends at %" PRIu64,
				    s->path, end, target->size);
		if (!target->mapping && end > sys_file_limit())
			return fail(-EFBIG,
				    "the region is longer than RLIMIT_FSIZE, %" PRIu64 " bytes",
				    sys_file_limit());
		return 0;
	}
	return 0;
}

/* What the caller learns of a region that did not stay as it was. */
static int undo(struct load *l, int err)
{
	char why[400];

	if (!l->changed)
		return err;
	snprintf(why, sizeof(why), "%s", fail_reason());
	if (!l->was_empty)
		return fail(err, "%s; the region has a part of the new contents", why);
	if (region_bytes_clear(l->target, 0, l->target->size))
		return fail(err, "%s; the region, which was empty, could not be emptied again",
			    why);
	return fail(err, "%s", why);
}

static int load(struct load *l)
{
	int err = image_progress_add(&l->progress, 0);

	if (!err && !l->was_empty)
		err = verify(l);
	if (err)
		return err;
	l->progress.too_late = !l->was_empty;
	return run(l);
}

/* With source and target open. */
static int replace(struct region *r, struct image_source *s, struct region_bytes *target,
		   const struct mshare_image_attr *attr)
{
	struct load l = { .source = s, .target = target, .progress = { .attr = attr } };
	int err = check_fit(s, target);

	if (err)
		return err;
	l.was_empty = region_bytes_empty(target);
	l.progress.total = s->data_bytes * (l.was_empty ? 1 : 2);
	err = open_queue(&l);
	if (!err)
		err = load(&l);
	if (!err) {
		atomic_store(&r->uring_used, s->by_ring);
		atomic_store(&r->direct_used, s->direct);
		atomic_store(&r->all_registered, s->registered);
	}
	io_close(l.queue);
	return err ? undo(&l, err) : 0;
}

static int check_only(struct image_source *s, const struct region_bytes *target,
		      const struct mshare_image_attr *attr)
{
	int err = check_fit(s, target);

	return err ? err : source_verify(s, attr);
}

int region_load(struct region *r, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	bool check = attr->flags & MSHARE_IMAGE_CHECK;
	struct image_source source;
	struct region_bytes target;
	int err = check ? 0 : check_rights(r);

	if (!err && !check)
		err = shim_refuse_parts(r, "load");
	if (err)
		return err;
	err = source_open(&source, dirfd, path);
	if (err)
		return err;
	err = region_bytes_open(&target, r, !check);
	if (!err) {
		err = check ? check_only(&source, &target, attr)
			    : replace(r, &source, &target, attr);
		region_bytes_close(&target);
	}
	source_close(&source);
	return err;
}
