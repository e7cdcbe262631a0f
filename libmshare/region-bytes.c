/* SPDX-License-Identifier: MIT */
#include "region-bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "align.h"
#include "log.h"

/* Read at a time to see whether it is zero: stays in the processor's cache. */
#define PIECE (256 * KIB)

static int map_to_write(struct region_bytes *b)
{
	void *mapping;
	int err = sys_mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->region->fd, 0,
			   &mapping);

	if (err)
		return fail(-ENOMEM, "the region's huge pages cannot be mapped to be written: %s",
			    strerror(-err));
	b->mapping = mapping;
	return 0;
}

/*
 * Before Linux 6.4, a huge page that khugepaged or MADV_COLLAPSE is making is in the page cache
 * before it is up to date, and lseek(2) takes its range for a hole (collapse_file(),
 * folio_seek_hole_data()). Who reads waits for it. An older kernel that has been mended is read in
 * vain.
 */
static bool hides_data(const struct region *r)
{
	struct utsname kernel;
	unsigned long major, minor;
	char *end;

	if (r->kind != REGION_SHMEM)
		return false;
	if (uname(&kernel))
		return true;
	major = strtoul(kernel.release, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	return major < 6 || (major == 6 && minor < 4);
}

static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/*
 * The flags of the region's own description are anybody's who has it: with O_APPEND, pwrite(2)
 * writes at the end whatever the offset is, and with O_DIRECT not each piece can be read. err: why
 * there is no other one.
 */
static int check_flags(const struct region *r, bool write, int err)
{
	int flags = sys_status_flags(r->fd);
	const char *flag = flags & O_DIRECT ? "O_DIRECT" : "O_APPEND";

	if (flags < 0 || !(flags & (write ? O_APPEND | O_DIRECT : O_DIRECT)))
		return 0;
	return fail(is_shortage(err) ? err : -EACCES,
		    "the region's descriptor has %s set, and its file cannot be opened again: %s",
		    flag, strerror(-err));
}

static int open_file(struct region_bytes *b, bool write)
{
	int fd = b->region->fd;

	b->own_fd = sys_reopen(fd, (write ? O_RDWR : O_RDONLY) | O_NONBLOCK);
	if (b->own_fd >= 0) {
		b->fd = b->seek_fd = b->own_fd;
		return 0;
	}
	if (write)
		b->seek_fd = sys_reopen(fd, O_RDONLY | O_NONBLOCK);
	return check_flags(b->region, write, b->own_fd);
}

int region_bytes_open(struct region_bytes *b, const struct region *r, bool write)
{
	int err;

	*b = (struct region_bytes){ .region = r, .fd = r->fd, .own_fd = -1, .seek_fd = -1 };
	err = region_size_now(r, &b->size);
	if (err)
		return err;
	if (b->size == 0)
		return fail(-ENXIO, "the region's file has been truncated to nothing");
	b->scratch = malloc(REGION_SCRATCH);
	if (!b->scratch)
		return fail(-ENOMEM, "no memory for a buffer");
	b->hides_data = hides_data(r);
	if (r->kind != REGION_HUGETLB) /* which tells no holes */
		err = open_file(b, write);
	else if (write)
		err = map_to_write(b);
	if (err)
		region_bytes_close(b);
	return err;
}

void region_bytes_close(struct region_bytes *b)
{
	if (b->mapping)
		sys_munmap(b->mapping, b->size);
	if (b->seek_fd >= 0 && b->seek_fd != b->own_fd)
		sys_close(b->seek_fd);
	if (b->own_fd >= 0)
		sys_close(b->own_fd);
	free(b->scratch);
}

static int failed(int err, const char *what, uint64_t off)
{
	return fail(err, "the region cannot be %s at offset %" PRIu64 ": %s", what, off,
		    strerror(-err));
}

int region_bytes_read(const struct region_bytes *b, uint64_t off, void *buf, size_t len)
{
	char *at = buf;

	while (len) {
		ssize_t n = sys_pread(b->fd, at, len, (off_t)off);

		if (n < 0)
			return failed((int)n, "read", off);
		if (n == 0)
			break;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	memset(at, 0, len);
	return 0;
}

static bool all_zero(const unsigned char *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* What the kernel tells. What holes cannot be seen in is data, and an error is no hole. */
static int find_told(const struct region_bytes *b, uint64_t off, uint64_t *start, uint64_t *end)
{
	off_t data, hole;

	*start = off;
	*end = b->size;
	data = b->seek_fd < 0 ? -EINVAL : sys_seek_data(b->seek_fd, (off_t)off);
	if (data == -ENXIO || data >= (off_t)b->size)
		return -ENXIO;
	if (data < 0)
		return 0;
	*start = (uint64_t)data;
	hole = sys_seek_hole(b->seek_fd, data);
	if (hole > data && hole < (off_t)b->size)
		*end = (uint64_t)hole;
	return 0;
}

/* The first piece of [off, stop) that is not all zero, or cannot be read; false: there is none. */
static bool find_hidden(const struct region_bytes *b, uint64_t off, uint64_t stop, uint64_t *start,
			uint64_t *end)
{
	for (; off < stop; off = *end) {
		uint64_t next = align_down(off, PIECE) + PIECE;

		*start = off;
		*end = next < stop ? next : stop;
		if (region_bytes_read(b, off, b->scratch, *end - off) ||
		    !all_zero(b->scratch, *end - off))
			return true;
	}
	return false;
}

int region_bytes_find(const struct region_bytes *b, uint64_t off, uint64_t stop, uint64_t *start,
		      uint64_t *end)
{
	uint64_t hidden, hidden_end, told;

	stop = stop < b->size ? stop : b->size;
	if (off >= stop)
		return -ENXIO;
	told = find_told(b, off, start, end) ? b->size : *start;
	if (b->hides_data && find_hidden(b, off, told < stop ? told : stop, &hidden, &hidden_end)) {
		*start = hidden;
		*end = hidden_end;
		return 0;
	}
	return told < stop ? 0 : -ENXIO;
}

/* Shared memory counts what it has; file systems may have small contents elsewhere. */
bool region_bytes_empty(const struct region_bytes *b)
{
	uint64_t start, end;
	struct stat st;

	if (b->region->kind != REGION_FILE)
		return sys_fstat(b->region->fd, &st) == 0 && st.st_blocks == 0;
	return region_bytes_find(b, 0, b->size, &start, &end) == -ENXIO;
}

/* A fault that cannot be served, for want of a page or because the file became shorter, is an error
 * here and a SIGBUS for memcpy(). Sandboxes may forbid the call. */
static int store(const struct region_bytes *b, uint64_t off, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		ssize_t n = sys_store(b->mapping + off, from, len);

		if (n == -ENOSYS || n == -EPERM) {
			memcpy(b->mapping + off, from, len);
			return 0;
		}
		if (n == -EFAULT || n == 0)
			return fail(-ENOMEM,
				    "no huge page for offset %" PRIu64 " of the region, or it has "
				    "been truncated",
				    off);
		if (n < 0)
			return failed((int)n, "written", off);
		from += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(const struct region_bytes *b, uint64_t off, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		ssize_t n = sys_pwrite(b->fd, from, len, (off_t)off);

		if (n <= 0)
			return failed(n ? (int)n : -EIO, "written", off);
		from += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int region_bytes_write(const struct region_bytes *b, uint64_t off, const void *buf, size_t len)
{
	return b->mapping ? store(b, off, buf, len) : write_file(b, off, buf, len);
}

/* Only what is not zero already: writing would allocate. */
static int write_zeros(const struct region_bytes *b, uint64_t off, uint64_t len)
{
	int err = 0;

	while (!err && len) {
		size_t piece = len < REGION_SCRATCH ? len : REGION_SCRATCH;

		err = region_bytes_read(b, off, b->scratch, piece);
		if (!err && !all_zero(b->scratch, piece)) {
			memset(b->scratch, 0, piece);
			err = region_bytes_write(b, off, b->scratch, piece);
		}
		off += piece;
		len -= piece;
	}
	return err;
}

static int clear_data(struct region_bytes *b, uint64_t off, uint64_t len)
{
	int err;

	if (!b->mapping && !b->no_holes) {
		err = sys_punch_hole(b->fd, (off_t)off, (off_t)len);
		if (err != -EOPNOTSUPP && err != -ENOSYS)
			return err ? failed(err, "cleared", off) : 0;
		b->no_holes = true;
		debug("the region's file system has no holes: writing zeros");
	}
	return write_zeros(b, off, len);
}

int region_bytes_clear(struct region_bytes *b, uint64_t off, uint64_t len)
{
	uint64_t stop = off + len;
	uint64_t start, end;
	int err = 0;

	while (!err && region_bytes_find(b, off, stop, &start, &end) == 0) {
		end = end < stop ? end : stop;
		err = clear_data(b, start, end - start);
		off = end;
	}
	return err;
}
