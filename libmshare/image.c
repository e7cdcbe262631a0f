/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crc32c.h"
#include "log.h"

/* As PNG does: not text, and damaged by whatever takes it for text. */
static const unsigned char magic[8] = { 0x89, 'M', 'S', 'H', 'A', 'R', 'E', '\n' };

/* Little-endian, as in the file. */
struct disk_head {
	unsigned char magic[8];
	uint32_t version;
	uint32_t head_bytes;
	uint32_t chunk_bytes;
	uint32_t page_bytes;
	uint64_t region_bytes;
	uint64_t chunks;
	uint64_t data_at;
	uint64_t file_bytes;
	uint32_t table_crc;
	unsigned char zeros[IMAGE_PAGE - 64];
	uint32_t crc; /* of all before it */
};
_Static_assert(sizeof(struct disk_head) == IMAGE_PAGE, "one page");

struct disk_chunk {
	uint64_t number;
	uint64_t at;
	uint32_t bytes;
	uint32_t flags;
	uint32_t crc;
	uint32_t entry_crc; /* of all before it */
};
_Static_assert(sizeof(struct disk_chunk) == IMAGE_ENTRY, "no padding");

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + IMAGE_PAGE - 1) & ~(IMAGE_PAGE - 1);
}

uint64_t image_data_at(uint64_t chunks)
{
	return IMAGE_PAGE + page_up(chunks * IMAGE_ENTRY);
}

uint64_t image_chunk_count(uint64_t region_bytes)
{
	return region_bytes / IMAGE_CHUNK + (region_bytes % IMAGE_CHUNK != 0);
}

uint64_t image_chunk_bytes(uint64_t region_bytes, uint64_t number)
{
	uint64_t left = region_bytes - number * IMAGE_CHUNK;

	return left < IMAGE_CHUNK ? left : IMAGE_CHUNK;
}

unsigned int image_chunk_pages(uint64_t region_bytes, uint64_t number)
{
	return (unsigned int)(page_up(image_chunk_bytes(region_bytes, number)) / IMAGE_PAGE);
}

void image_put_head(const struct image_head *head, unsigned char page[IMAGE_PAGE])
{
	struct disk_head disk = {
		.version = htole32(IMAGE_VERSION),
		.head_bytes = htole32((uint32_t)IMAGE_PAGE),
		.chunk_bytes = htole32((uint32_t)IMAGE_CHUNK),
		.page_bytes = htole32((uint32_t)IMAGE_PAGE),
		.region_bytes = htole64(head->region_bytes),
		.chunks = htole64(head->chunks),
		.data_at = htole64(head->data_at),
		.file_bytes = htole64(head->file_bytes),
		.table_crc = htole32(head->table_crc),
	};

	memcpy(disk.magic, magic, sizeof(magic));
	disk.crc = htole32(crc32c(0, &disk, offsetof(struct disk_head, crc)));
	memcpy(page, &disk, sizeof(disk));
}

void image_put_chunk(const struct image_chunk *chunk, unsigned char entry[IMAGE_ENTRY])
{
	struct disk_chunk disk = {
		.number = htole64(chunk->number),
		.at = htole64(chunk->at),
		.bytes = htole32(chunk->bytes),
		.flags = htole32(chunk->flags),
		.crc = htole32(chunk->crc),
	};

	disk.entry_crc = htole32(crc32c(0, &disk, offsetof(struct disk_chunk, entry_crc)));
	memcpy(entry, &disk, sizeof(disk));
}

uint32_t image_sum_entry(uint32_t crc, const unsigned char entry[IMAGE_ENTRY])
{
	return crc32c(crc, entry, offsetof(struct disk_chunk, entry_crc));
}

static bool head_adds_up(const struct image_head *head)
{
	return head->region_bytes && head->region_bytes <= IMAGE_REGION_MAX &&
	       head->chunks <= image_chunk_count(head->region_bytes) &&
	       head->data_at == image_data_at(head->chunks) && head->file_bytes >= head->data_at &&
	       head->file_bytes - head->data_at <= head->chunks * IMAGE_CHUNK;
}

static int read_head(const unsigned char page[IMAGE_PAGE], const char *path,
		     struct image_head *head)
{
	struct disk_head disk;
	uint32_t crc;

	memcpy(&disk, page, sizeof(disk));
	if (memcmp(disk.magic, magic, sizeof(magic)) != 0)
		return fail(-EBADMSG, "\"%s\" is not an image of a region", path);
	crc = crc32c(0, &disk, offsetof(struct disk_head, crc));
	if (crc != le32toh(disk.crc))
		return fail(-EBADMSG,
			    "\"%s\": its header is damaged: checksum %08" PRIx32 " where %08" PRIx32
			    " was saved",
			    path, crc, le32toh(disk.crc));
	if (le32toh(disk.version) != IMAGE_VERSION || le32toh(disk.chunk_bytes) != IMAGE_CHUNK ||
	    le32toh(disk.page_bytes) != IMAGE_PAGE || le32toh(disk.head_bytes) != IMAGE_PAGE)
		return fail(-EOPNOTSUPP,
			    "\"%s\" is an image of version %" PRIu32 ", this library reads %d",
			    path, le32toh(disk.version), IMAGE_VERSION);
	head->region_bytes = le64toh(disk.region_bytes);
	head->chunks = le64toh(disk.chunks);
	head->data_at = le64toh(disk.data_at);
	head->file_bytes = le64toh(disk.file_bytes);
	head->table_crc = le32toh(disk.table_crc);
	return 0;
}

int image_get_head(const unsigned char page[IMAGE_PAGE], uint64_t file_bytes, const char *path,
		   struct image_head *head)
{
	int err;

	if (file_bytes < IMAGE_PAGE)
		return fail(-EBADMSG,
			    "\"%s\" is not an image of a region: %" PRIu64
			    " bytes are less than a header",
			    path, file_bytes);
	err = read_head(page, path, head);
	if (err)
		return err;
	if (!head_adds_up(head))
		return fail(-EBADMSG, "\"%s\": its header contradicts itself", path);
	if (file_bytes > head->file_bytes)
		return fail(-EBADMSG,
			    "\"%s\" has %" PRIu64 " bytes, its header says %" PRIu64
			    ": something was put behind its last chunk",
			    path, file_bytes, head->file_bytes);
	if (file_bytes < head->data_at)
		return fail(-EBADMSG,
			    "\"%s\" is cut off in its table, before chunk 0: %" PRIu64
			    " of %" PRIu64 " bytes are there",
			    path, file_bytes, head->file_bytes);
	return 0;
}

static bool size_is_possible(const struct image_head *head, const struct image_chunk *chunk)
{
	uint32_t whole =
		image_chunk_pages(head->region_bytes, chunk->number) * (uint32_t)IMAGE_PAGE;

	if (chunk->flags == IMAGE_SPARSE)
		return chunk->bytes > IMAGE_PAGE && chunk->bytes <= whole &&
		       is_multiple(chunk->bytes, IMAGE_PAGE);
	return chunk->flags == 0 && (chunk->bytes == whole || chunk->bytes == 0);
}

static int get_entry(const struct image_cursor *next, const unsigned char *entry,
		     struct image_chunk *chunk)
{
	const struct image_head *head = next->head;
	struct disk_chunk disk;

	memcpy(&disk, entry, sizeof(disk));
	if (crc32c(0, &disk, offsetof(struct disk_chunk, entry_crc)) != le32toh(disk.entry_crc))
		return -EBADMSG;
	chunk->number = le64toh(disk.number);
	chunk->at = le64toh(disk.at);
	chunk->bytes = le32toh(disk.bytes);
	chunk->flags = le32toh(disk.flags);
	chunk->crc = le32toh(disk.crc);
	if (chunk->number < next->number ||
	    chunk->number >= image_chunk_count(head->region_bytes) || chunk->at != next->at ||
	    !size_is_possible(head, chunk) || chunk->bytes > head->file_bytes - chunk->at)
		return -EBADMSG;
	return 0;
}

static int cut_off(const struct image_cursor *c, const struct image_chunk *chunk)
{
	return fail(-EBADMSG,
		    "\"%s\" is cut off in chunk %" PRIu64 " (offset %" PRIu64
		    " of the region, number %" PRIu64 " of %" PRIu64
		    " in the file): it ends at %" PRIu64 ", the chunk at %" PRIu64,
		    c->path, chunk->number, chunk->number * IMAGE_CHUNK, c->index + 1,
		    c->head->chunks, c->file_bytes, chunk->at + chunk->bytes);
}

int image_get_entries(struct image_cursor *c, const unsigned char *entries, uint64_t count,
		      struct image_chunk *chunks)
{
	if (c->index == 0)
		c->at = c->head->data_at;
	for (uint64_t i = 0; i < count; i++) {
		struct image_chunk *chunk = &chunks[i];

		if (get_entry(c, entries + i * IMAGE_ENTRY, chunk))
			return fail(-EBADMSG,
				    "\"%s\": entry %" PRIu64
				    " of its table, of a chunk that is not "
				    "below %" PRIu64 ", is damaged",
				    c->path, c->index, c->number);
		if (chunk->at + chunk->bytes > c->file_bytes)
			return cut_off(c, chunk);
		c->crc = image_sum_entry(c->crc, entries + i * IMAGE_ENTRY);
		c->index++;
		c->number = chunk->number + 1;
		c->at += chunk->bytes;
	}
	return 0;
}

int image_end_table(const struct image_cursor *c)
{
	uint64_t end = c->index ? c->at : c->head->data_at;

	if (c->crc != c->head->table_crc)
		return fail(-EBADMSG, "\"%s\": its table and its header are not of one image",
			    c->path);
	if (end != c->head->file_bytes || end != c->file_bytes)
		return fail(-EBADMSG,
			    "\"%s\" has %" PRIu64 " bytes, its %" PRIu64 " chunks end at %" PRIu64,
			    c->path, c->file_bytes, c->head->chunks, end);
	return 0;
}
