/* SPDX-License-Identifier: MIT */
/* A hole that is written to when the disk is full: SIGBUS as with mmap(2), and all goes on after it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "scene.h"

#define SIZE (8 * MIB)
#define HOLE (4 * MIB) /* where the hole begins, up to SIZE */

/* Takes what there is, in ever smaller pieces. */
static void fill_up(int filler)
{
	static const char page[PAGE] = { 1 };
	off_t end = lseek(filler, 0, SEEK_END);

	for (size_t piece = GIB; piece >= PAGE; piece /= 2)
		while (fallocate(filler, 0, end, (off_t)piece) == 0)
			end += (off_t)piece;
	check_equal(errno, ENOSPC);
	while (pwrite(filler, page, PAGE, end) == (ssize_t)PAGE)
		end += PAGE;
	check_equal(errno, ENOSPC);
	fsync(filler);
}

static void store(void *arg)
{
	*(volatile char *)arg = 1;
}

/* File systems give back at leisure what was deleted before, so the disk may be full a little later. */
static size_t first_refused(int filler, char *at)
{
	for (size_t off = HOLE; off < SIZE; off += 16 * PAGE) {
		int number;

		fill_up(filler);
		number = signal_of(store, at + off);
		if (number == SIGBUS)
			return off;
		check_equal(number, 0);
	}
	return SIZE;
}

static void full(const char *directory)
{
	char path[DISK_PATH_SIZE], filler_path[DISK_PATH_SIZE], *at, *plain, *bytes;
	int fd = disk_file_in(directory, SIZE, path);
	int filler = disk_file_in(directory, 0, filler_path);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	size_t off;

	at = attach(fd, SIZE, READ_WRITE);
	plain = map_plain(fd, SIZE, READ_WRITE);
	pages_fill(at, HOLE, 3);
	check(fsync(fd) == 0);
	off = first_refused(filler, at);
	check(off < SIZE);
	check_equal(signal_of(store, plain + off), SIGBUS); /* just so */
	bytes_check_zero(at + off, PAGE);
	check_equal(signal_of(store, at + off), SIGBUS); /* also where it is linked for reading */
	pages_check(at, HOLE, 3);
	pages_fill(at, HOLE, 4); /* what has its place on the disk can be written */
	check(fsync(fd) == 0);
	check(ftruncate(filler, 0) == 0 && fsync(filler) == 0);
	pages_fill(at, SIZE, 5);
	check(msync(at, SIZE, MS_SYNC) == 0);
	bytes = disk_contents(fd, SIZE);
	pages_check(bytes, SIZE, 5);
	munmap(bytes, SIZE);
	munmap(plain, SIZE);
	detach(at, SIZE);
	host_leaves(&host);
	check(unlink(path) == 0 && unlink(filler_path) == 0);
	close(filler);
	close(fd);
}

static void test_ext4(void **state)
{
	(void)state;
	full("/scratch");
}

static void test_xfs(void **state)
{
	(void)state;
	full("/scratch-xfs");
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_xfs),
	};

	return SHIM_MAIN(cases);
}
