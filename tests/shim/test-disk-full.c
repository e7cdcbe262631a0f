/* SPDX-License-Identifier: MIT */
/*
 * A hole that is written to when the disk is full: SIGBUS as with mmap(2), and all goes on after
 * it.
 */
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

static bool refused(char *at)
{
	int number = signal_of(store, at);

	check(number == 0 || number == SIGBUS);
	return number == SIGBUS;
}

/*
 * Where the disk is full for us and for a plain mapping, just so, and for us again, also where it
 * is linked for reading by then. File systems give back at leisure what was deleted before: a disk
 * that was full may not be so a moment later, and it is tried again further on.
 */
static size_t first_refused(int filler, char *at, char *plain)
{
	for (size_t off = HOLE; off < SIZE; off += 16 * PAGE) {
		fill_up(filler);
		if (!refused(at + off) || !refused(plain + off))
			continue;
		bytes_check_zero(at + off, PAGE);
		if (refused(at + off))
			return off;
	}
	return SIZE;
}

static void full(const char *directory)
{
	char path[DISK_PATH_SIZE], filler_path[DISK_PATH_SIZE], *at, *plain, *bytes;
	int fd = disk_file_in(directory, SIZE, path);
	int filler = disk_file_in(directory, 0, filler_path);
	struct host host = host_start(fd, SIZE, READ_WRITE);

	at = attach(fd, SIZE, READ_WRITE);
	plain = map_plain(fd, SIZE, READ_WRITE);
	pages_fill(at, HOLE, 3);
	check(fsync(fd) == 0);
	check(first_refused(filler, at, plain) < SIZE);
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
