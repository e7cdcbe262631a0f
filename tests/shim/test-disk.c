/* SPDX-License-Identifier: MIT */
/*
 * Files on ext4 and xfs: what attached processes write gets to the disk, also what is written after a
 * write-back has made the pages clean and read-only.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define ROUNDS 6

static int file_in(const char *directory, char *path, size_t length)
{
	int fd;

	snprintf(path, length, "%s/shim-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	check(fd >= 0 && ftruncate(fd, SIZE) == 0);
	return fd;
}

/* What is on the disk itself. */
static void disk_check(const char *path, uint64_t salt)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *bytes = mmap(NULL, SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(fd >= 0 && bytes != MAP_FAILED);
	check(pread(fd, bytes, SIZE, 0) == (ssize_t)SIZE);
	pages_check(bytes, SIZE, salt);
	munmap(bytes, SIZE);
	close(fd);
}

struct writer {
	const struct scene *scene;
	uint64_t salt;
};

static void write_all(void *arg)
{
	const struct writer *w = arg;

	pages_fill(w->scene->at, SIZE, w->salt);
}

static void reaches_disk(const char *directory)
{
	char path[128];
	struct scene s = scene_make_of(file_in(directory, path, sizeof(path)), SIZE);
	struct writer other = { &s, 0 };

	for (uint64_t salt = 1; salt <= ROUNDS; salt++) {
		other.salt = salt;
		if (salt % 2)
			pages_fill(s.at, SIZE, salt);
		else
			child_run(write_all, &other);
		check(fsync(s.fd) == 0);
		disk_check(path, salt);
		pages_check(s.at, SIZE, salt); /* reading makes nothing dirty or writable */
	}
	check(fsync(s.fd) == 0 && write_text("/proc/sys/vm/drop_caches", "3") == 0);
	pages_check(s.at, SIZE, ROUNDS);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
	check(unlink(path) == 0);
}

static void test_ext4(void **state)
{
	(void)state;
	reaches_disk("/scratch");
}

static void test_xfs(void **state)
{
	(void)state;
	reaches_disk("/scratch-xfs");
}

/* By the library, as programs do it. */
static void by_library(const char *directory)
{
	char path[128];
	int fd = file_in(directory, path, sizeof(path));
	mshare_t r = mshare_from_fd(fd, NULL);
	char *at;

	check(r);
	at = mshare_attach(r, NULL, 0, SIZE, READ_WRITE, 0);
	check(at != MAP_FAILED);
	check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_SHIM);
	for (uint64_t salt = 1; salt <= ROUNDS; salt++) {
		pages_fill(at, SIZE, salt);
		check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
		disk_check(path, salt);
	}
	check(mshare_detach(r, at, SIZE) == 0);
	check(mshare_close(r) == 0);
	close(fd);
	check(unlink(path) == 0);
}

static void test_flush_by_library(void **state)
{
	(void)state;
	setenv("MSHARE_BACKEND", "shim", 1);
	by_library("/scratch");
	by_library("/scratch-xfs");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_xfs),
		cmocka_unit_test(test_flush_by_library),
	};

	return SHIM_MAIN(cases);
}
