/* SPDX-License-Identifier: MIT */
#include "album.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "object.h"

static char dir[ALBUM_PATH];
static pid_t owner;

/* The files; nothing here makes directories inside. */
void album_each(const char *prefix, void (*use)(const char *path, void *arg), void *arg)
{
	DIR *open_dir = opendir(dir);
	char path[2 * ALBUM_PATH];

	check(open_dir);
	for (struct dirent *e = readdir(open_dir); e; e = readdir(open_dir)) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		use(path, arg);
	}
	closedir(open_dir);
}

static void remove_file(const char *path, void *unused)
{
	(void)unused;
	unlink(path);
}

static void remove_all(void)
{
	if (getpid() != owner)
		return;
	chmod(dir, 0700);
	album_each("", remove_file, NULL);
	rmdir(dir);
}

const char *album_dir(void)
{
	const char *parent = getenv("MSHARE_TEST_DIR");

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/album-XXXXXX", parent ? parent : ".");
		check(mkdtemp(dir));
		owner = getpid();
		check(atexit(remove_all) == 0);
	}
	return dir;
}

const char *album(const char *name)
{
	static char paths[8][ALBUM_PATH + 64];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", album_dir(), name);
	return path;
}

static void count_file(const char *path, void *count)
{
	(void)path;
	++*(size_t *)count;
}

size_t album_count(const char *prefix)
{
	size_t count = 0;

	album_dir();
	album_each(prefix, count_file, &count);
	return count;
}

size_t file_size(const char *path)
{
	struct stat st;

	check(stat(path, &st) == 0);
	return (size_t)st.st_size;
}

unsigned char *file_read(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rbe");
	unsigned char *bytes;

	check(file);
	*size = file_size(path);
	bytes = malloc(*size + 1);
	check(bytes);
	check_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

void file_write(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wbe");

	check(file);
	check_equal(fwrite(bytes, 1, size, file), size);
	check(fclose(file) == 0);
}

void album_save(mshare_t r, const char *name)
{
	check(mshare_save(r, AT_FDCWD, album(name), NULL) == 0);
}

void album_load(mshare_t r, const char *name)
{
	check(mshare_load(r, AT_FDCWD, album(name), NULL) == 0);
}

static bool has_page(enum shape shape, size_t page)
{
	size_t of_chunk = page % (CHUNK / PAGE);

	if (shape == SHAPE_NOTHING || shape == SHAPE_DENSE)
		return shape == SHAPE_DENSE;
	switch (page / (CHUNK / PAGE) % 4) {
	case 0:
		return shape == SHAPE_RUNS ? of_chunk % 200 < 20 : of_chunk % 3 == 0;
	case 1:
		return false;
	case 2:
		return true;
	default:
		return of_chunk == 100;
	}
}

/* The last page of a region may be a part of one. */
static size_t page_length(size_t size, size_t page)
{
	return size - page * PAGE < PAGE ? size - page * PAGE : PAGE;
}

void shape_fill(unsigned char *bytes, size_t size, enum shape shape, uint64_t salt)
{
	for (size_t page = 0; page * PAGE < size; page++) {
		if (has_page(shape, page))
			bytes_fill(bytes + page * PAGE, page_length(size, page), salt + page);
	}
}

void shape_check(const unsigned char *bytes, size_t size, enum shape shape, uint64_t salt)
{
	for (size_t page = 0; page * PAGE < size; page++) {
		if (has_page(shape, page))
			bytes_check(bytes + page * PAGE, page_length(size, page), salt + page);
		else
			bytes_check_zero(bytes + page * PAGE, page_length(size, page));
	}
}

mshare_t region_with(size_t size, enum shape shape, uint64_t salt, unsigned char **bytes)
{
	mshare_t r = region_make(size);

	*bytes = region_attach_all(r);
	shape_fill(*bytes, region_size(r), shape, salt);
	return r;
}

void region_drop(mshare_t r, unsigned char *bytes)
{
	check(mshare_detach(r, bytes, region_size(r)) == 0);
	region_end(r);
}
