/* SPDX-License-Identifier: MIT */
/*
 * Files on ext4 and xfs: what attached processes write gets to the disk, also what is written after
 * a write-back has made the pages clean and read-only; and comes back from there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "scene.h"

#define SIZE (8 * MIB)
#define ROUNDS 6

/* What the host does with its mapping when it is asked to. */
enum wish { NOTHING, SYNC, FORGET, LEAVE };
static struct {
	volatile enum wish wish;
} * host_desk;

static void do_wishes(const struct mapping *own)
{
	for (;; pause_ms(5)) {
		if (host_desk->wish == SYNC)
			check(msync(own->at, own->size, MS_SYNC) == 0);
		else if (host_desk->wish == FORGET)
			check(madvise(own->at, own->size, MADV_DONTNEED) == 0);
		else if (host_desk->wish == LEAVE)
			return;
		host_desk->wish = NOTHING;
	}
}

static void ask_host(enum wish wish)
{
	host_desk->wish = wish;
	check(COMES_TRUE(host_desk->wish == NOTHING));
}

/*
 * Only who asks for it writes back, so that what is dirty can be counted. Held for all cases
 * together: letting go of it starts a write-back, which goes on for a while.
 */
static void hold_writeback(bool hold)
{
	static const char *const path = "/proc/sys/vm/dirty_writeback_centisecs";

	check_equal(write_text(path, hold ? "0" : "500"), 0);
}

static struct scene scene_on_disk(const char *directory, char *path)
{
	struct scene s = { .size = SIZE };

	host_desk = shared_memory(sizeof(*host_desk));
	s.fd = disk_file_in(directory, SIZE, path);
	s.host = host_start_with(s.fd, SIZE, READ_WRITE, do_wishes);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	return s;
}

static void scene_on_disk_end(struct scene *s, const char *path)
{
	pages_fill(s->at, SIZE, SCENE_SALT);
	host_desk->wish = LEAVE;
	scene_end(s);
	munmap(host_desk, sizeof(*host_desk));
	check(unlink(path) == 0);
}

static void disk_check(int fd, uint64_t salt)
{
	char *bytes = disk_contents(fd, SIZE);

	pages_check(bytes, SIZE, salt);
	munmap(bytes, SIZE);
}

static void by_fsync(const struct scene *s)
{
	check(fsync(s->fd) == 0);
}

static void by_msync(const struct scene *s)
{
	check(msync(s->at, SIZE, MS_SYNC) == 0);
}

static void by_host(const struct scene *s)
{
	(void)s;
	ask_host(SYNC);
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

/* Written by one process after the other, written back in one way after the other. */
static void reaches_disk(const char *directory)
{
	static void (*const ways[])(const struct scene *s) = { by_fsync, by_msync, by_host };
	char path[DISK_PATH_SIZE];
	struct scene s = scene_on_disk(directory, path);
	struct writer other = { &s, 0 };

	for (uint64_t salt = 1; salt <= ROUNDS; salt++) {
		other.salt = salt;
		if (salt % 2)
			pages_fill(s.at, SIZE, salt);
		else
			child_run(write_all, &other);
		ways[salt % 3](&s);
		disk_check(s.fd, salt);
		pages_check(s.at, SIZE, salt); /* reading makes nothing dirty or writable */
	}
	scene_on_disk_end(&s, path);
}

/* Bytes that are dirty, as the attached process sees it. */
static uint64_t dirty(const struct scene *s, uint64_t salt)
{
	pages_check(s->at, SIZE, salt);
	return proc_smaps_bytes(s->at, "Shared_Dirty") + proc_smaps_bytes(s->at, "Private_Dirty");
}

/* Each write-back makes pages read-only, so that the next write to each is noticed. */
static void writes_are_tracked(const char *directory)
{
	char path[DISK_PATH_SIZE];
	struct scene s = scene_on_disk(directory, path);

	pages_fill(s.at, SIZE, 1);
	check_equal(dirty(&s, 1), SIZE);
	for (size_t off = 0; off < SIZE; off += 300 * PAGE) {
		uint64_t *word = (uint64_t *)(void *)(s.at + off), before = *word;

		by_fsync(&s);
		check_equal(dirty(&s, 1), 0);
		*word = 0; /* more than a page may be dirty where the file system uses large ones */
		*word = before;
		check(dirty(&s, 1) >= PAGE && dirty(&s, 1) <= SLOT);
		by_msync(&s);
		check_equal(dirty(&s, 1), 0);
		*word = ~before;
		by_host(&s);
		*word = before;
		by_fsync(&s);
		disk_check(s.fd, 1);
	}
	scene_on_disk_end(&s, path);
}

static bool drop_caches(int fd)
{
	check_equal(write_text("/proc/sys/vm/drop_caches", "1"), 0);
	return cached_pages(fd, SIZE) == 0;
}

static void comes_back(const char *directory)
{
	char path[DISK_PATH_SIZE];
	struct scene s = scene_on_disk(directory, path);

	pages_fill(s.at, SIZE, 5);
	check_equal(cached_pages(s.fd, SIZE), SIZE / PAGE);
	by_msync(&s);
	ask_host(FORGET); /* what a host has mapped is in use and stays */
	check(COMES_TRUE(drop_caches(s.fd)));
	pages_check(s.at, SIZE, 5);
	pages_fill(s.at, SIZE, 6);
	by_fsync(&s);
	disk_check(s.fd, 6);
	scene_on_disk_end(&s, path);
}

static uint64_t allocated(int fd)
{
	struct stat st;

	check(fstat(fd, &st) == 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Reading a hole allocates nothing, writing does. */
static void fills_holes(const char *directory)
{
	char path[DISK_PATH_SIZE], *bytes;
	struct scene s = scene_on_disk(directory, path);

	bytes_check_zero(s.at, SIZE);
	by_fsync(&s);
	check_equal(allocated(s.fd), 0);
	for (size_t off = 0; off < SIZE; off += SLOT)
		s.at[off] = 'x';
	by_fsync(&s);
	check(allocated(s.fd) >= SIZE / SLOT * PAGE && allocated(s.fd) < SIZE);
	bytes = disk_contents(s.fd, SIZE);
	check(memcmp(bytes, s.at, SIZE) == 0 && bytes[SLOT] == 'x');
	munmap(bytes, SIZE);
	scene_on_disk_end(&s, path);
}

/* By the library, as programs do it. */
static void by_library(const char *directory)
{
	char path[DISK_PATH_SIZE];
	int fd = disk_file_in(directory, SIZE, path);
	mshare_t r;
	char *at;

	setenv("MSHARE_BACKEND", "shim", 1);
	r = mshare_from_fd(fd, NULL);
	check(r);
	at = mshare_attach(r, NULL, 0, SIZE, READ_WRITE, 0);
	check(at != MAP_FAILED);
	check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_SHIM);
	for (uint64_t salt = 1; salt <= ROUNDS; salt++) {
		pages_fill(at, SIZE, salt);
		check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
		disk_check(fd, salt);
	}
	check(mshare_detach(r, at, SIZE) == 0);
	check(mshare_close(r) == 0);
	close(fd);
	check(unlink(path) == 0);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		name("/scratch");                                                                  \
		name("/scratch-xfs");                                                              \
	}
CASE(reaches_disk)
CASE(writes_are_tracked)
CASE(comes_back)
CASE(fills_holes)
CASE(by_library)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_reaches_disk), cmocka_unit_test(test_writes_are_tracked),
		cmocka_unit_test(test_comes_back),   cmocka_unit_test(test_fills_holes),
		cmocka_unit_test(test_by_library),
	};
	int failed;

	hold_writeback(true);
	failed = SHIM_MAIN(cases);
	hold_writeback(false);
	return failed;
}
