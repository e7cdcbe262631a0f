/* SPDX-License-Identifier: MIT */
/*
 * Image files, mshare-image(5): bytes to numbers and back, and every check that needs no chunk.
 * Nothing here opens, reads or writes a file.
 *
 *	0          4 KiB          data_at                            file_bytes
 *	| header   | table        | chunk | chunk | ...                   |
 *
 * All in units of IMAGE_PAGE, so that a file can be read and written past the page cache.
 */
#ifndef MSHARE_IMAGE_H
#define MSHARE_IMAGE_H

#include "util.h"

#define IMAGE_PAGE ((uint64_t)4096)
#define IMAGE_CHUNK (2 * MIB)
#define IMAGE_CHUNK_PAGES ((unsigned int)(IMAGE_CHUNK / IMAGE_PAGE))
#define IMAGE_ENTRY ((uint64_t)32)
#define IMAGE_VERSION 1
#define IMAGE_REGION_MAX ((uint64_t)1 << 62)

/* Flags of a chunk. */
#define IMAGE_SPARSE 1u /* begins with a page that says which of its pages follow */

struct image_head {
	uint64_t region_bytes;
	uint64_t chunks; /* entries of the table */
	uint64_t data_at;
	uint64_t file_bytes;
	uint32_t table_crc; /* of the entries: image_sum_entry() */
};

struct image_chunk {
	uint64_t number; /* offset in the region, in units of IMAGE_CHUNK */
	uint64_t at; /* in the file */
	uint32_t bytes; /* in the file; 0: all zero */
	uint32_t flags;
	uint32_t crc; /* of those bytes */
};

/* Bytes from the beginning of the file to the first chunk. */
uint64_t image_data_at(uint64_t chunks);

/* Chunks of a region, the last one cut off or not. Bytes and pages of one of them. */
uint64_t image_chunk_count(uint64_t region_bytes);
uint64_t image_chunk_bytes(uint64_t region_bytes, uint64_t number);
unsigned int image_chunk_pages(uint64_t region_bytes, uint64_t number);

void image_put_head(const struct image_head *head, unsigned char page[IMAGE_PAGE]);
void image_put_chunk(const struct image_chunk *chunk, unsigned char entry[IMAGE_ENTRY]);

/*
 * Adds an entry to the checksum of the table, without the entry's own: bytes that end with their
 * own CRC all look the same to one that goes on over them.
 */
uint32_t image_sum_entry(uint32_t crc, const unsigned char entry[IMAGE_ENTRY]);

/*
 * What a file of file_bytes bytes begins with. A file that is cut off behind its header is none of
 * these errors: the table tells in which chunk. 0, -EBADMSG or -EOPNOTSUPP, with a sentence about
 * `path`.
 */
must_check int image_get_head(const unsigned char page[IMAGE_PAGE], uint64_t file_bytes,
			      const char *path, struct image_head *head);

/*
 * The table, some entries at a time, so that a file that only claims to be long costs nothing: one
 * cursor, zero at first, for all of them, then image_end_table(). 0, or -EBADMSG with a sentence
 * that names the chunk: damaged, out of order, or not in a file that has only file_bytes.
 */
struct image_cursor {
	const struct image_head *head;
	const char *path;
	uint64_t file_bytes;
	uint64_t index; /* entries so far */
	uint64_t number; /* lowest that the next chunk may have */
	uint64_t at; /* where the next chunk is in the file */
	uint32_t crc; /* of the entries so far */
};
must_check int image_get_entries(struct image_cursor *cursor, const unsigned char *entries,
				 uint64_t count, struct image_chunk *chunks);
must_check int image_end_table(const struct image_cursor *cursor);

/*
 * The pages of a chunk: bit i of the map says whether page i of the chunk is in the file. Fills map
 * and *pages, where the first of them is. Checks the checksum first. 0, or -EBADMSG with a
 * sentence.
 */
struct image_map {
	unsigned char bits[IMAGE_PAGE / 64]; /* 512 */
};
must_check int image_get_chunk(const struct image_head *head, const struct image_chunk *chunk,
			       const unsigned char *bytes, const char *path, struct image_map *map,
			       const unsigned char **pages);

static inline bool image_has_page(const struct image_map *map, unsigned int page)
{
	return map->bits[page / 8] >> page % 8 & 1;
}

/*
 * Makes a chunk of `pages` whole pages at bytes + IMAGE_PAGE: leaves out those that are zero.
 * *from is where it begins, bytes or bytes + IMAGE_PAGE. Fills bytes, flags and crc.
 */
void image_pack(struct image_chunk *chunk, unsigned int pages, unsigned char *bytes,
		unsigned char **from);

#endif
