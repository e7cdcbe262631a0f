/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "ioring.h"
#include "sys.h"

static unsigned long countdown;
static int fault;
static const char *failed;
static faults_seen *watcher;

void faults_watch(faults_seen *seen)
{
	watcher = seen;
}

void faults_arm(unsigned long n, int err)
{
	countdown = n;
	fault = err;
	failed = NULL;
}

const char *faults_disarm(void)
{
	countdown = 0;
	return failed;
}

static bool fails(const char *name)
{
	if (watcher)
		watcher(name);
	if (!countdown || --countdown)
		return false;
	failed = name;
	return true;
}

/* Calls that cannot be short succeed instead. */
static bool fails_whole(const char *name)
{
	return fails(name) && fault != FAULT_SHORT;
}

#define WRAP(type, name, parameters, arguments)                                                    \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		return fails_whole(#name) ? (type)-fault : __real_##name arguments;                \
	}

WRAP(int, sys_openat, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
WRAP(int, sys_reopen, (int fd, int flags), (fd, flags))
WRAP(int, sys_statat, (int dir, const char *name, struct stat *st), (dir, name, st))
WRAP(int, sys_fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, sys_link_fd_at, (int fd, int dir, const char *name), (fd, dir, name))
WRAP(int, sys_renameat, (int dir, const char *from, const char *to), (dir, from, to))
WRAP(int, sys_allocate, (int fd, off_t off, off_t len), (fd, off, len))
WRAP(int, sys_ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, sys_punch_hole, (int fd, off_t off, off_t len), (fd, off, len))
WRAP(off_t, sys_seek_data, (int fd, off_t off), (fd, off))
WRAP(off_t, sys_seek_hole, (int fd, off_t off), (fd, off))
WRAP(int, sys_fsync, (int fd), (fd))
WRAP(int, sys_set_direct, (int fd, bool direct), (fd, direct))
WRAP(int, sys_random, (uint64_t * value), (value))
WRAP(int, sys_madvise, (void *addr, size_t len, int advice), (addr, len, advice))
WRAP(int, sys_mmap, (void *addr, size_t len, int prot, int flags, int fd, off_t off, void **out),
     (addr, len, prot, flags, fd, off, out))
WRAP(int, ioring_open, (struct ioring * *out, const struct iovec *buffers, unsigned int count),
     (out, buffers, count))
WRAP(int, ioring_submit, (struct ioring * ring, const struct ioring_request *request),
     (ring, request))

/* Half of a transfer, in whole pages if it has more than one. */
static size_t part_of(size_t len)
{
	return len > 8192 ? len / 2 / 4096 * 4096 : len / 2 + 1;
}

#define WRAP_TRANSFER(name, parameters, whole, part)                                               \
	ssize_t __real_##name parameters;                                                          \
	ssize_t __wrap_##name parameters;                                                          \
	ssize_t __wrap_##name parameters                                                           \
	{                                                                                          \
		if (!fails(#name))                                                                 \
			return __real_##name whole;                                                \
		return fault == FAULT_SHORT ? __real_##name part : -fault;                         \
	}

WRAP_TRANSFER(sys_pread, (int fd, void *buf, size_t len, off_t off), (fd, buf, len, off),
	      (fd, buf, part_of(len), off))
WRAP_TRANSFER(sys_pwrite, (int fd, const void *buf, size_t len, off_t off), (fd, buf, len, off),
	      (fd, buf, part_of(len), off))
WRAP_TRANSFER(sys_store, (void *addr, const void *buf, size_t len), (addr, buf, len),
	      (addr, buf, part_of(len)))

int __real_ioring_reap(struct ioring *ring, unsigned int *index, int *result);
int __wrap_ioring_reap(struct ioring *ring, unsigned int *index, int *result);

/* The request fails, which was done or not; ENOMEM: the ring does. */
int __wrap_ioring_reap(struct ioring *ring, unsigned int *index, int *result)
{
	bool failing = fails("ioring_reap");
	int err = __real_ioring_reap(ring, index, result);

	if (err || !failing)
		return err;
	if (fault == FAULT_SHORT)
		*result = (int)part_of((size_t)*result);
	else if (fault == ENOMEM)
		return -ENOMEM;
	else
		*result = -fault;
	return 0;
}

#define WRAP_ALLOCATION(name, parameters, arguments)                                               \
	void *__real_##name parameters;                                                            \
	void *__wrap_##name parameters;                                                            \
	void *__wrap_##name parameters                                                             \
	{                                                                                          \
		return fails_whole(#name) ? NULL : __real_##name arguments;                        \
	}

WRAP_ALLOCATION(malloc, (size_t size), (size))
WRAP_ALLOCATION(calloc, (size_t count, size_t size), (count, size))
WRAP_ALLOCATION(realloc, (void *old, size_t size), (old, size))
