/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int raw_mmap(const struct map_call *call, void **out)
{
	long got = sys_result(syscall(SYS_mmap, call->addr, call->len, call->prot, call->flags,
				      call->fd, call->off));

	if (got < 0 && got > -4096)
		return (int)got;
	*out = (void *)got;
	return 0;
}

int raw_munmap(void *addr, size_t len)
{
	return (int)sys_result(syscall(SYS_munmap, addr, len));
}

int raw_mremap(void *addr, size_t old_len, size_t new_len, int flags, void *to, void **out)
{
	long got = sys_result(syscall(SYS_mremap, addr, old_len, new_len, flags, to));

	if (got < 0 && got > -4096)
		return (int)got;
	*out = (void *)got;
	return 0;
}

int raw_mprotect(void *addr, size_t len, int prot)
{
	return (int)sys_result(syscall(SYS_mprotect, addr, len, prot));
}

int raw_pkey_mprotect(void *addr, size_t len, int prot, int pkey)
{
	return (int)sys_result(syscall(SYS_pkey_mprotect, addr, len, prot, pkey));
}

int raw_madvise(void *addr, size_t len, int advice)
{
	return (int)sys_result(syscall(SYS_madvise, addr, len, advice));
}

int raw_mlock(void *addr, size_t len)
{
	return (int)sys_result(syscall(SYS_mlock, addr, len));
}

int raw_mlock2(void *addr, size_t len, unsigned int flags)
{
	return (int)sys_result(syscall(SYS_mlock2, addr, len, flags));
}

int raw_munlock(void *addr, size_t len)
{
	return (int)sys_result(syscall(SYS_munlock, addr, len));
}

int raw_shmget(key_t key, size_t size, int flags)
{
	return (int)sys_result(syscall(SYS_shmget, key, size, flags));
}

int raw_shmat(int id, const void *addr, int flags, void **out)
{
	long got = sys_result(syscall(SYS_shmat, id, addr, flags));

	if (got < 0 && got > -4096)
		return (int)got;
	*out = (void *)got;
	return 0;
}

int raw_shmdt(const void *addr)
{
	return (int)sys_result(syscall(SYS_shmdt, addr));
}

int raw_shmctl(int id, int command, struct shmid_ds *ds)
{
	return (int)sys_result(syscall(SYS_shmctl, id, command, ds));
}

/*
 * The signal that the kernel sends for a write that fails is not the program's; one that was
 * waiting before is.
 */
static long write_quietly(int fd, const char *text, size_t len)
{
	const struct timespec now = { 0, 0 };
	sigset_t before, ours;
	long written;
	int number;

	sigemptyset(&before);
	sigpending(&before);
	written = sys_result(syscall(SYS_write, fd, text, len));
	number = written == -EPIPE ? SIGPIPE : SIGXFSZ;
	if ((written == -EPIPE || written == -EFBIG) && !sigismember(&before, number)) {
		sigemptyset(&ours);
		sigaddset(&ours, number);
		(void)sigtimedwait(&ours, NULL, &now);
	}
	return written;
}

/* Waits for nobody: a FIFO may have lost its reader, a pipe be full. */
int raw_append(const char *path, const char *text, size_t len)
{
	cleanup_fd int fd = sys_open(path, O_WRONLY | O_APPEND | O_NONBLOCK, 0);
	long written;

	if (fd < 0)
		return fd;
	written = write_quietly(fd, text, len);
	if (written < 0)
		return (int)written;
	return (size_t)written == len ? 0 : -EIO;
}

void raw_sigmask(const sigset_t *to)
{
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, to, NULL, (size_t)_NSIG / 8);
}

pid_t raw_getpid(void)
{
	return (pid_t)syscall(SYS_getpid);
}
