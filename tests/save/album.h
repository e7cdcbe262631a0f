/* SPDX-License-Identifier: MIT */
/*
 * A directory on a disk for the image files of a test program, which goes with its contents when
 * the program does, and regions with known contents.
 */
#ifndef TEST_ALBUM_H
#define TEST_ALBUM_H

#include <stddef.h>
#include <stdint.h>

#include "mshare.h"

#define CHUNK ((size_t)2 << 20)
#define PAGE ((size_t)4096)
#define ALBUM_PATH 512

/* The directory of this program, made when first asked for. */
const char *album_dir(void);

/* The path of a file in it; from the same few buffers again after eight calls. */
const char *album(const char *name);

/* Files in it whose name begins so; "" for all. To be called, or counted. */
void album_each(const char *prefix, void (*use)(const char *path, void *arg), void *arg);
size_t album_count(const char *prefix);

size_t file_size(const char *path);
/* All of a file, to be freed. */
unsigned char *file_read(const char *path, size_t *size);
void file_write(const char *path, const void *bytes, size_t size);

/* To and from a file in it, with the default attributes; it must succeed. */
void album_save(mshare_t r, const char *name);
void album_load(mshare_t r, const char *name);

/* Which pages a region has. */
enum shape {
	SHAPE_NOTHING, /* none was ever touched */
	SHAPE_DENSE, /* all */
	SHAPE_SPARSE, /* chunk 0: every third; 1: none; 2: all; 3: one; then as 0 again */
	SHAPE_RUNS, /* the same with three runs in chunk 0 */
	SHAPES
};

/* Fills a region of zeros; `salt` makes the contents differ. bytes is all of it. */
void shape_fill(unsigned char *bytes, size_t size, enum shape shape, uint64_t salt);
void shape_check(const unsigned char *bytes, size_t size, enum shape shape, uint64_t salt);

/* A region of the backend under test with such contents, and where it is attached. */
mshare_t region_with(size_t size, enum shape shape, uint64_t salt, unsigned char **bytes);
void region_drop(mshare_t r, unsigned char *bytes);

#endif
