/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "image.h"
#include "seeds.h"
#include "target.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Each side of what a header may say; the first are good. */
static const struct {
	struct image_head head;
	uint64_t file_bytes; /* 0: as the header says */
	bool wrong;
} heads[] = {
	{ { 1, 0, 4096, 4096, 0 }, 0, false },
	{ { IMAGE_CHUNK, 1, 8192, 8192 + 4096, 0 }, 0, false },
	{ { 10 * IMAGE_CHUNK, 10, 8192, 8192 + 10 * IMAGE_CHUNK, 7 }, 0, false },
	{ { 10 * IMAGE_CHUNK, 10, 8192, 8192 + 10 * IMAGE_CHUNK, 7 }, 8192, false },
	{ { IMAGE_REGION_MAX, 0, 4096, 4096, 0 }, 0, false },
	{ { 10 * IMAGE_CHUNK, 10, 8192, 8192 + 10 * IMAGE_CHUNK + 4096, 0 }, 0, false },
	{ { IMAGE_REGION_MAX + 1, 0, 4096, 4096, 0 }, 0, false },
	{ { 0, 0, 4096, 4096, 0 }, 0, false },
	{ { IMAGE_CHUNK, 2, 8192, 8192, 0 }, 0, false },
	{ { IMAGE_CHUNK, UINT64_MAX / 32 + 1, 4096, 4096, 0 }, 0, false },
	{ { IMAGE_CHUNK, 1, 4096, 8192, 0 }, 0, false },
	{ { IMAGE_CHUNK, 1, 8192, 8191, 0 }, 0, false },
	{ { IMAGE_CHUNK, 1, 8192, 12288, 0 }, 12289, false },
	{ { IMAGE_CHUNK, 1, 8192, 12288, 0 }, 8191, false },
	{ { IMAGE_CHUNK, 1, 8192, 12288, 0 }, 4095, false },
	{ { IMAGE_CHUNK, 1, 8192, 12288, 0 }, 0, true },
};

static size_t head_seed(unsigned int index, uint8_t *buf)
{
	uint64_t file_bytes =
		heads[index].file_bytes ? heads[index].file_bytes : heads[index].head.file_bytes;
	unsigned char page[IMAGE_PAGE];

	image_put_head(&heads[index].head, page);
	buf[0] = TARGET_HEAD;
	buf[1] = heads[index].wrong;
	memcpy(buf + 2, &file_bytes, sizeof(file_bytes));
	memcpy(buf + 10, page, 64);
	return 10 + 64;
}

/* Regions of 4 chunks, the last with one page: count entries, the second as given. */
static const struct {
	unsigned int count;
	struct image_chunk second;
	uint8_t wrong;
} tables[] = {
	{ 0, { 0, 0, 0, 0, 0 }, 0 },
	{ 2, { 1, 4096, IMAGE_CHUNK, 0, 5 }, 0 },
	{ 2, { 3, 4096, 8192, IMAGE_SPARSE, 5 }, 0 },
	{ 2, { 2, 4096, 0, 0, 0 }, 0 },
	{ 2, { 4, 4096, 4096, 0, 5 }, 0 },
	{ 2, { 0, 4096, IMAGE_CHUNK, 0, 5 }, 0 },
	{ 2, { 5, 4096, 4096, 0, 5 }, 0 },
	{ 2, { 1, 8192, IMAGE_CHUNK, 0, 5 }, 0 },
	{ 2, { 1, 4096, IMAGE_CHUNK + 4096, 0, 5 }, 0 },
	{ 2, { 1, 4096, IMAGE_CHUNK - 4096, 0, 5 }, 0 },
	{ 2, { 1, 4096, 4096, IMAGE_SPARSE, 5 }, 0 },
	{ 2, { 1, 4096, 8193, IMAGE_SPARSE, 5 }, 0 },
	{ 2, { 1, 4096, 8192, 2, 5 }, 0 },
	{ 2, { 1, 4096, IMAGE_CHUNK, 0, 5 }, 2 },
	{ 2, { 1, 4096, IMAGE_CHUNK, 0, 5 }, 255 },
};

/*
 * "at" is given relative to the table's end, less a page: the first chunk has a page and its map.
 */
static size_t table_seed(unsigned int index, uint8_t *buf)
{
	struct image_chunk first = { 0, image_data_at(tables[index].count), 8192, IMAGE_SPARSE, 3 };
	struct image_chunk second = tables[index].second;

	buf[0] = TARGET_TABLE;
	buf[1] = 4;
	buf[2] = tables[index].wrong;
	if (tables[index].count == 0)
		return 4;
	second.at += first.at + 4096;
	image_put_chunk(&first, buf + 3);
	image_put_chunk(&second, buf + 3 + IMAGE_ENTRY);
	return 3 + 2 * IMAGE_ENTRY;
}

static const struct {
	uint8_t pages; /* less one */
	uint8_t wrong;
	uint8_t claimed;
	uint8_t map[4];
	uint8_t behind; /* byte 64 of the page */
} maps[] = {
	{ 31, 0, 1, { 1, 0, 0, 0 }, 0 },	  { 31, 0, 4, { 3, 0, 0, 0xc0 }, 0 },
	{ 31, 0, 32, { 255, 255, 255, 255 }, 0 }, { 3, 0, 1, { 8, 0, 0, 0 }, 0 },
	{ 2, 0, 1, { 8, 0, 0, 0 }, 0 },		  { 31, 0, 2, { 1, 0, 0, 0 }, 0 },
	{ 31, 1, 1, { 1, 0, 0, 0 }, 0 },	  { 31, 0, 1, { 1, 0, 0, 0 }, 1 },
	{ 31, 0, 0, { 0, 0, 0, 0 }, 0 },
};

static size_t chunk_seed(unsigned int index, uint8_t *buf)
{
	buf[0] = TARGET_CHUNK;
	buf[1] = maps[index].pages;
	buf[2] = maps[index].wrong;
	buf[3] = maps[index].claimed;
	memcpy(buf + 5, maps[index].map, sizeof(maps[index].map));
	buf[5 + 64] = maps[index].behind;
	return 5 + 64 + 1;
}

size_t image_seed(unsigned int index, uint8_t buf[SEED_MAX])
{
	if (index < COUNT(heads))
		return head_seed(index, buf);
	index -= COUNT(heads);
	if (index < COUNT(tables))
		return table_seed(index, buf);
	index -= COUNT(tables);
	return index < COUNT(maps) ? chunk_seed(index, buf) : 0;
}
