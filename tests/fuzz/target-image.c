/* SPDX-License-Identifier: MIT */
#include "target-image.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"
#include "expect.h"
#include "guarded.h"
#include "image.h"

#define PATH "fuzz.img"
#define ENTRIES_MAX 64

static void expect_answer(enum target target, int err)
{
	EXPECT(err == 0 || err == -EBADMSG || err == -EOPNOTSUPP);
	fuzz_count(target, err);
}

static void sign(unsigned char *bytes, size_t size)
{
	uint32_t crc = crc32c(0, bytes, size - sizeof(crc));

	memcpy(bytes + size - sizeof(crc), &crc, sizeof(crc));
}

void fuzz_head(const uint8_t *data, size_t size)
{
	unsigned char *page = guarded(IMAGE_PAGE);
	struct image_head head = { 0 };
	uint64_t file_bytes = 0;
	size_t rest;
	int err;

	if (size < 9)
		return;
	memcpy(&file_bytes, data + 1, sizeof(file_bytes));
	rest = size - 9 < IMAGE_PAGE ? size - 9 : IMAGE_PAGE;
	memset(page, 0, IMAGE_PAGE);
	memcpy(page, data + 9, rest);
	if (!data[0])
		sign(page, IMAGE_PAGE);
	err = image_get_head(page, file_bytes, PATH, &head);
	expect_answer(TARGET_HEAD, err);
	if (err)
		return;
	EXPECT(!data[0] && head.region_bytes && head.region_bytes <= IMAGE_REGION_MAX);
	EXPECT(head.chunks <= image_chunk_count(head.region_bytes));
	EXPECT(head.chunks * IMAGE_ENTRY + IMAGE_PAGE <= head.data_at);
	EXPECT(head.data_at <= file_bytes && file_bytes <= head.file_bytes);
}

static void expect_table(const struct image_head *head, const struct image_chunk *chunks)
{
	uint64_t at = head->data_at, next = 0;

	for (uint64_t i = 0; i < head->chunks; i++) {
		EXPECT(chunks[i].number >= next && chunks[i].at == at);
		EXPECT(chunks[i].number * IMAGE_CHUNK < head->region_bytes);
		EXPECT(chunks[i].bytes <= IMAGE_CHUNK && chunks[i].bytes % IMAGE_PAGE == 0);
		at += chunks[i].bytes;
		next = chunks[i].number + 1;
	}
	EXPECT(at == head->file_bytes);
}

/* Where the entries put the end of the file, or one byte before. */
static uint64_t claimed_end(const struct image_head *head, const unsigned char *entries)
{
	uint64_t end = head->data_at;

	for (uint64_t i = 0; i < head->chunks; i++) {
		uint32_t bytes;

		memcpy(&bytes, entries + i * IMAGE_ENTRY + 16, sizeof(bytes));
		end += bytes;
	}
	return end;
}

void fuzz_table(const uint8_t *data, size_t size)
{
	struct image_chunk chunks[ENTRIES_MAX];
	struct image_head head = { .region_bytes = data[0] * IMAGE_CHUNK + 1 };
	struct image_cursor cursor = { .head = &head, .path = PATH };
	unsigned char *entries;
	int err;

	head.chunks = (size - 2) / IMAGE_ENTRY;
	if (head.chunks > ENTRIES_MAX)
		head.chunks = ENTRIES_MAX;
	entries = guarded_copy(data + 2, head.chunks * IMAGE_ENTRY, head.chunks * IMAGE_ENTRY);
	head.data_at = image_data_at(head.chunks);
	head.file_bytes = claimed_end(&head, entries);
	cursor.file_bytes = head.file_bytes;
	for (uint64_t i = 0; i < head.chunks; i++) {
		if (data[1] != i + 1)
			sign(entries + i * IMAGE_ENTRY, IMAGE_ENTRY);
		head.table_crc = image_sum_entry(head.table_crc, entries + i * IMAGE_ENTRY);
	}
	head.table_crc ^= data[1] == 255;
	err = image_get_entries(&cursor, entries, head.chunks, chunks);
	if (!err)
		err = image_end_table(&cursor);
	expect_answer(TARGET_TABLE, err);
	if (!err)
		expect_table(&head, chunks);
}

void fuzz_chunk(const uint8_t *data, size_t size)
{
	static unsigned char record[IMAGE_CHUNK];
	struct image_head head = { .region_bytes = (data[0] + 1) * IMAGE_PAGE };
	struct image_chunk chunk = { .flags = IMAGE_SPARSE };
	const unsigned char *pages;
	struct image_map map;
	unsigned int found = 0;
	size_t rest = size - 4 < IMAGE_PAGE ? size - 4 : IMAGE_PAGE;
	int err;

	if (size < 5)
		return;
	memset(record, 0, IMAGE_PAGE);
	memcpy(record, data + 4, rest);
	chunk.bytes = (uint32_t)((1 + data[2] + data[3] % 2 * 256) * IMAGE_PAGE);
	if (chunk.bytes > IMAGE_CHUNK)
		return;
	chunk.crc = crc32c(0, record, chunk.bytes) ^ data[1];
	err = image_get_chunk(&head, &chunk, record, PATH, &map, &pages);
	expect_answer(TARGET_CHUNK, err);
	if (err)
		return;
	for (unsigned int i = 0; i < IMAGE_CHUNK_PAGES; i++) {
		EXPECT(!image_has_page(&map, i) || i <= data[0]);
		found += image_has_page(&map, i);
	}
	EXPECT(found == chunk.bytes / IMAGE_PAGE - 1 && pages == record + IMAGE_PAGE);
}
