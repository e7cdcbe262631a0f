/* SPDX-License-Identifier: MIT */
/* The system calls of image files: the rest of sys.c, under the same rules. */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys-retry.h"

uint64_t sys_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

/* The kernel would also send SIGXFSZ: see sys_ftruncate(). */
static bool beyond_limit(off_t end)
{
	return (uint64_t)end > sys_file_limit();
}

int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
	int low = (int)RETRY(openat(dir, path, flags | O_CLOEXEC | O_NOCTTY, mode));
	int fd = above_standard(low);

	if (fd < 0 && low >= 0 && (flags & O_EXCL))
		sys_unlinkat(dir, path);
	return fd;
}

int sys_reopen(int fd, int flags)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return sys_open(proc, flags, 0);
}

int sys_statat(int dir, const char *name, struct stat *st)
{
	return (int)RETRY(fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW));
}

int sys_link_fd_at(int fd, int dir, const char *name)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return (int)RETRY(linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW));
}

int sys_renameat(int dir, const char *from, const char *to)
{
	return (int)RETRY(renameat(dir, from, dir, to));
}

int sys_unlinkat(int dir, const char *name)
{
	return (int)RETRY(unlinkat(dir, name, 0));
}

ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return beyond_limit(off + (off_t)len) ? -EFBIG : RETRY(pwrite(fd, buf, len, off));
}

int sys_allocate(int fd, off_t off, off_t len)
{
	int saved = errno;
	int err = 0;

	if (beyond_limit(off + len))
		return -EFBIG;
	if (fallocate(fd, 0, off, len))
		err = -errno;
	errno = saved;
	return err;
}

off_t sys_seek_hole(int fd, off_t off)
{
	return RETRY(lseek(fd, off, SEEK_HOLE));
}

int sys_fsync(int fd)
{
	return (int)RETRY(fsync(fd));
}

int sys_syncfs(int fd)
{
	return (int)RETRY(syncfs(fd));
}

int sys_status_flags(int fd)
{
	return (int)RETRY(fcntl(fd, F_GETFL));
}

int sys_set_direct(int fd, bool direct)
{
	int flags = sys_status_flags(fd);

	if (flags < 0)
		return flags;
	flags = (flags & ~(O_DIRECT | O_NONBLOCK)) | (direct ? O_DIRECT : 0);
	return (int)RETRY(fcntl(fd, F_SETFL, flags));
}

bool sys_is_direct(int fd)
{
	int flags = sys_status_flags(fd);

	return flags >= 0 && (flags & O_DIRECT);
}

int sys_random(uint64_t *value)
{
	long got = RETRY(getrandom(value, sizeof(*value), 0));

	return got < 0 ? (int)got : 0;
}

ssize_t sys_store(void *addr, const void *buf, size_t len)
{
	struct iovec from = { (void *)(uintptr_t)buf, len };
	struct iovec to = { addr, len };

	return RETRY(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
}
