/* SPDX-License-Identifier: MIT */
/*
 * The twin without io_uring: msync(2) takes a range, which fdatasync(2) does not, but of a mapping.
 * So the range is mapped, synced and unmapped, without ever being touched: no page is read in and
 * none can raise SIGBUS, wherever the file ends by now.
 */
#include "flush.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "log.h"

/* Address space taken at a time: fits a modest RLIMIT_AS, and the cost of a window is small beside
 * that of writing it. */
#define WINDOW (1 * GIB)

/*
 * PROT_NONE is enough for msync(2), and keeps mlockall(MCL_FUTURE) from reading the window in.
 * Returns 1 when no mapping can be had.
 */
static int sync_window(int fd, uint64_t off, uint64_t len)
{
	void *addr;
	int err = sys_mmap(NULL, len, PROT_NONE, MAP_SHARED, fd, (off_t)off, &addr);
	int unmap_err;

	if (err < 0) {
		debug("no mapping to write back through (%s), using fdatasync", strerror(-err));
		return 1;
	}
	err = sys_msync(addr, len);
	unmap_err = sys_munmap(addr, len);
	return err ? err : unmap_err;
}

static int sync_windows(int fd, uint64_t off, uint64_t end)
{
	int err = 0;

	while (err == 0 && off < end) {
		uint64_t len = end - off < WINDOW ? end - off : WINDOW;

		err = sync_window(fd, off, len);
		off += len;
	}
	return err;
}

/*
 * Through a descriptor opened for reading, Linux makes MAP_SHARED a mapping that msync(2) passes
 * over in silence (do_mmap() clears VM_SHARED). The whole file is synced then, and also where it
 * cannot be mapped: append-only, RLIMIT_AS.
 */
int flush_sync(int fd, off_t off, uint64_t len)
{
	uint64_t start = align_down((uint64_t)off, page_sizes()->base);
	int mode = sys_open_mode(fd);
	uint64_t end;
	int err;

	if (mode < 0)
		return mode;
	err = align_up((uint64_t)off + len, page_sizes()->base, &end);
	if (err < 0)
		return err;
	err = mode == O_RDWR ? sync_windows(fd, start, end) : 1;
	return err > 0 ? sys_fdatasync(fd) : err;
}
