/* SPDX-License-Identifier: MIT */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys-retry.h"

int sys_fail(int err)
{
	errno = -err;
	return -1;
}

int sys_errno(void)
{
	return errno;
}

void sys_set_errno(int value)
{
	errno = value;
}

int sys_open(const char *path, int flags, mode_t mode)
{
	int low = (int)RETRY(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
	int fd = above_standard(low);

	if (fd < 0 && low >= 0 && (flags & O_EXCL)) /* a call that fails makes no file */
		sys_unlink(path);
	return fd;
}

int sys_memfd_create(const char *name, unsigned int flags)
{
	return above_standard((int)RETRY(memfd_create(name, flags | MFD_CLOEXEC)));
}

int sys_dup_above(int fd, int lowest)
{
	return (int)RETRY(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
}

int sys_dup(int fd)
{
	int copy = (int)RETRY(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));

	return copy == -EINVAL ? -EMFILE : copy;
}

/* Not repeated: on Linux the descriptor is gone even when close(2) says EINTR. */
int sys_close(int fd)
{
	int saved = errno;
	int err = close(fd) == -1 && errno != EINTR ? -errno : 0;

	errno = saved;
	return err;
}

int sys_fstat(int fd, struct stat *st)
{
	return (int)RETRY(fstat(fd, st));
}

int sys_stat(const char *path, struct stat *st)
{
	return (int)RETRY(lstat(path, st));
}

int sys_fs_type(int fd, uint64_t *type)
{
	struct statfs fs;
	int err = (int)RETRY(fstatfs(fd, &fs));

	if (err == 0)
		*type = (uint64_t)fs.f_type;
	return err;
}

int sys_fs_space(const char *path, uint64_t *total, uint64_t *free_bytes)
{
	struct statfs fs;
	int err = (int)RETRY(statfs(path, &fs));

	if (err < 0)
		return err;
	/* A tmpfs without a size limit reports no blocks at all. */
	*total = fs.f_blocks ? (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize : UINT64_MAX;
	*free_bytes = fs.f_blocks ? (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize : UINT64_MAX;
	return 0;
}

/* Beyond RLIMIT_FSIZE the kernel would also send SIGXFSZ, which ends a process that does not expect
 * it: nobody expects that of creating shared memory. Files are only ever made longer here. */
int sys_ftruncate(int fd, off_t size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    (uint64_t)size > limit.rlim_cur)
		return -EFBIG;
	return (int)RETRY(ftruncate(fd, size));
}

int sys_fchmod(int fd, mode_t mode)
{
	return (int)RETRY(fchmod(fd, mode));
}

int sys_punch_hole(int fd, off_t off, off_t len)
{
	return (int)RETRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len));
}

int sys_link_fd(int fd, const char *path)
{
	char proc[32];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return (int)RETRY(linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
}

int sys_unlink(const char *path)
{
	return (int)RETRY(unlink(path));
}

int sys_access_exec(const char *path)
{
	return (int)RETRY(faccessat(AT_FDCWD, path, X_OK, AT_EACCESS));
}

int sys_open_mode(int fd)
{
	int flags = (int)RETRY(fcntl(fd, F_GETFL));

	if (flags >= 0 && (flags & O_PATH))
		return -EBADF;
	return flags < 0 ? flags : flags & O_ACCMODE;
}

int sys_seals(int fd)
{
	return (int)RETRY(fcntl(fd, F_GET_SEALS));
}

int sys_fdatasync(int fd)
{
	return (int)RETRY(fdatasync(fd));
}

int sys_ioctl(int fd, unsigned long command, void *argument)
{
	return (int)RETRY(ioctl(fd, command, argument));
}

int sys_pipe(int ends[2])
{
	int err = (int)RETRY(pipe2(ends, O_CLOEXEC));

	if (err)
		return err;
	ends[0] = above_standard(ends[0]);
	ends[1] = above_standard(ends[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	err = ends[0] < 0 ? ends[0] : ends[1];
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			sys_close(ends[i]);
	return err;
}

int sys_write_byte(int fd, char byte)
{
	long written = RETRY(write(fd, &byte, 1));

	return written < 0 ? (int)written : 0;
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* However many signals come, it takes no longer. */
static int wait_for_input(int fd, int timeout_ms)
{
	const int64_t deadline = milliseconds() + timeout_ms;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int64_t left = timeout_ms;
	int saved = errno;
	int ready;

	do {
		ready = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
		if (ready < 0)
			ready = -errno;
		left = deadline - milliseconds();
	} while (ready == -EINTR && left > 0);
	errno = saved;
	return ready == -EINTR ? 0 : ready;
}

int sys_read_byte(int fd, char *byte, int timeout_ms)
{
	int ready = wait_for_input(fd, timeout_ms);

	if (ready <= 0)
		return ready < 0 ? ready : -ETIMEDOUT;
	return (int)RETRY(read(fd, byte, 1));
}

ssize_t sys_read_file(const char *path, char *buf, size_t size)
{
	size_t got = 0;
	ssize_t n = 1;
	int fd = sys_open(path, O_RDONLY, 0);

	if (fd < 0)
		return fd;
	while (n > 0 && got < size - 1) {
		n = RETRY(read(fd, buf + got, size - 1 - got));
		if (n > 0)
			got += (size_t)n;
	}
	sys_close(fd);
	buf[got] = '\0';
	return n < 0 ? n : (ssize_t)got;
}

ssize_t sys_pread(int fd, void *buf, size_t len, off_t off)
{
	return RETRY(pread(fd, buf, len, off));
}

off_t sys_seek_data(int fd, off_t off)
{
	return RETRY(lseek(fd, off, SEEK_DATA));
}

static int ofd_command(int fd, int command, short type, off_t byte, struct flock *lock)
{
	*lock = (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	return (int)RETRY(fcntl(fd, command, lock));
}

int sys_ofd_lock(int fd, bool exclusive, off_t byte)
{
	struct flock lock;
	int err = ofd_command(fd, F_OFD_SETLK, exclusive ? F_WRLCK : F_RDLCK, byte, &lock);

	return err == -EACCES ? -EAGAIN : err;
}

int sys_ofd_unlock(int fd, off_t byte)
{
	struct flock lock;

	return ofd_command(fd, F_OFD_SETLK, F_UNLCK, byte, &lock);
}

int sys_ofd_test(int fd, off_t byte)
{
	struct flock lock;
	int err = ofd_command(fd, F_OFD_GETLK, F_WRLCK, byte, &lock);

	return err < 0 ? err : lock.l_type != F_UNLCK;
}

int sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off, void **out)
{
	long got = RETRY(mmap(addr, len, prot, flags, fd, off));

	if (got < 0 && got > -4096)
		return (int)got;
	*out = (void *)got;
	return 0;
}

int sys_munmap(void *addr, size_t len)
{
	return (int)RETRY(munmap(addr, len));
}

int sys_madvise(void *addr, size_t len, int advice)
{
	return (int)RETRY(madvise(addr, len, advice));
}

int sys_mincore(void *addr, size_t len, unsigned char *vec)
{
	return (int)RETRY(mincore(addr, len, vec));
}

int sys_msync(void *addr, size_t len)
{
	return (int)RETRY(msync(addr, len, MS_SYNC));
}

uint64_t sys_page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

int64_t sys_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec + 1;
}

uint64_t sys_memlock_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

const char *sys_getenv(const char *name)
{
	return secure_getenv(name);
}

long sys_result(long result)
{
	return result == -1 ? -errno : result;
}

/* clone(2) under the name that sanitizers do not wrap: theirs takes every clone for a fork(2). */
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/* Room for posix_spawn(3), the dynamic linker binding it, and sanitizers; touched as needed. */
#define APART_STACK ((size_t)256 << 10)

/*
 * An exit signal of 0 makes a child that wait(2) without __WCLONE does not report. CLONE_VFORK: we
 * go on when it has exited, so that the stack is ours again and there is nothing to wait for. It
 * shares our errno, which RETRY() puts back.
 */
static int clone_and_reap(int (*run)(void *), void *arg, char *stack)
{
	int pid = (int)RETRY(__clone(run, stack + APART_STACK, CLONE_VM | CLONE_VFORK, arg));
	int err;

	if (pid < 0)
		return pid;
	err = (int)RETRY(waitpid(pid, NULL, __WCLONE));
	/* Another thread that waits with __WALL may have been first. */
	return err == -ECHILD || err > 0 ? 0 : err;
}

int sys_run_apart(int (*run)(void *), void *arg)
{
	int cancel_state;
	sigset_t all, before;
	void *stack;
	int err = sys_mmap(NULL, APART_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0, &stack);

	if (err)
		return err;
	/* A handler must not run twice on this memory, nor a cancellation leave the stack behind.
	 */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = clone_and_reap(run, arg, stack);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancel_state, &cancel_state);
	sys_munmap(stack, APART_STACK);
	return err;
}
