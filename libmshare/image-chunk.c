/* SPDX-License-Identifier: MIT */
/*
 * One chunk of an image: which of its pages are in the file, and whether they are what was saved.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "image.h"
#include "log.h"

static int damaged(const struct image_chunk *chunk, const char *path, const char *how)
{
	return fail(-EBADMSG, "\"%s\": chunk %" PRIu64 " (offset %" PRIu64 " of the region) %s",
		    path, chunk->number, chunk->number * IMAGE_CHUNK, how);
}

static void set_pages(struct image_map *map, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++)
		map->bits[i / 8] |= (unsigned char)(1u << i % 8);
}

static unsigned int count_pages(const struct image_map *map, unsigned int from, unsigned int to)
{
	unsigned int count = 0;

	for (unsigned int i = from; i < to; i++)
		count += image_has_page(map, i);
	return count;
}

static bool all_zero(const unsigned char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Checksums do not keep anybody from writing nonsense that matches them. */
static int get_sparse(const struct image_head *head, const struct image_chunk *chunk,
		      const unsigned char *bytes, const char *path, struct image_map *map)
{
	unsigned int pages = image_chunk_pages(head->region_bytes, chunk->number);

	memcpy(map->bits, bytes, sizeof(map->bits));
	if (!all_zero(bytes + sizeof(map->bits), IMAGE_PAGE - sizeof(map->bits)) ||
	    count_pages(map, pages, IMAGE_CHUNK_PAGES) ||
	    count_pages(map, 0, pages) != chunk->bytes / IMAGE_PAGE - 1)
		return damaged(chunk, path, "has a map of pages that contradicts its length");
	return 0;
}

int image_get_chunk(const struct image_head *head, const struct image_chunk *chunk,
		    const unsigned char *bytes, const char *path, struct image_map *map,
		    const unsigned char **pages)
{
	uint32_t crc = crc32c(0, bytes, chunk->bytes);
	char how[64];

	if (crc != chunk->crc) {
		snprintf(how, sizeof(how),
			 "is damaged: checksum %08" PRIx32 ", saved as %08" PRIx32, crc,
			 chunk->crc);
		return damaged(chunk, path, how);
	}
	memset(map, 0, sizeof(*map));
	*pages = bytes;
	if (chunk->flags & IMAGE_SPARSE) {
		*pages = bytes + IMAGE_PAGE;
		return get_sparse(head, chunk, bytes, path, map);
	}
	if (chunk->bytes)
		set_pages(map, image_chunk_pages(head->region_bytes, chunk->number));
	return 0;
}

static bool page_is_zero(const unsigned char *page)
{
	const uint64_t *words = (const uint64_t *)(const void *)page;

	for (size_t i = 0; i < IMAGE_PAGE / sizeof(*words); i += 4) {
		if (words[i] | words[i + 1] | words[i + 2] | words[i + 3])
			return false;
	}
	return true;
}

/* Bits of the pages that are not zero; how many. */
static unsigned int find_pages(struct image_map *map, unsigned int pages, const unsigned char *at)
{
	unsigned int found = 0;

	memset(map, 0, sizeof(*map));
	for (unsigned int i = 0; i < pages; i++) {
		if (page_is_zero(at + i * IMAGE_PAGE))
			continue;
		map->bits[i / 8] |= (unsigned char)(1u << i % 8);
		found++;
	}
	return found;
}

static void close_ranks(const struct image_map *map, unsigned int pages, unsigned char *at)
{
	unsigned char *to = at;

	for (unsigned int i = 0; i < pages; i++) {
		if (!image_has_page(map, i))
			continue;
		if (to != at + i * IMAGE_PAGE)
			memcpy(to, at + i * IMAGE_PAGE, IMAGE_PAGE);
		to += IMAGE_PAGE;
	}
}

void image_pack(struct image_chunk *chunk, unsigned int pages, unsigned char *bytes,
		unsigned char **from)
{
	unsigned char *data = bytes + IMAGE_PAGE;
	struct image_map map;
	unsigned int found = find_pages(&map, pages, data);

	chunk->flags = found && found < pages ? IMAGE_SPARSE : 0;
	chunk->bytes = (uint32_t)((found + (chunk->flags ? 1 : 0)) * IMAGE_PAGE);
	*from = data;
	if (chunk->flags) {
		close_ranks(&map, pages, data);
		memset(bytes, 0, IMAGE_PAGE);
		memcpy(bytes, map.bits, sizeof(map.bits));
		*from = bytes;
	}
	chunk->crc = crc32c(0, *from, chunk->bytes);
}
