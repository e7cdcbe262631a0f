/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "fake.h"
#include "flush.h"

struct fake_machine fake;
unsigned int fake_helpers_started;

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

long sys_result(long result)
{
	return result == -1 ? -errno : result;
}

static int text_of(const char *path, char *buf, size_t size)
{
	static const char pools[] = "/sys/kernel/mm/hugepages/hugepages-";

	if (strstr(path, "hpage_pmd_size"))
		return snprintf(buf, size, "%llu\n", (unsigned long long)FAKE_PMD);
	if (strcmp(path, "/proc/self/mounts") == 0)
		return snprintf(
			buf, size, "tmpfs /dev/shm tmpfs rw 0 0\n%s",
			fake.hugetlbfs ? "none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n" : "");
	if (strstr(path, "/resv_hugepages"))
		return snprintf(buf, size, "0\n");
	if (strncmp(path, pools, strlen(pools)) == 0)
		return snprintf(buf, size, "%ld\n",
				strstr(path, "-2048kB") ? fake.pool_pmd : fake.pool_pud);
	return -ENOENT;
}

ssize_t sys_read_file(const char *path, char *buf, size_t size)
{
	int err = FAULT(EMFILE, ENOMEM, EACCES);

	return err ? err : text_of(path, buf, size);
}

int sys_access_exec(const char *path)
{
	int err = FAULT(EACCES, ENOMEM);

	(void)path;
	return err ? err : fake.host ? 0 : -ENOENT;
}

/* The model's kernel has no module, so nothing of this is reached. */
int sys_ioctl(int fd, unsigned long command, void *argument)
{
	(void)fd;
	(void)command;
	(void)argument;
	return -ENOTTY;
}

int sys_dup_above(int fd, int lowest)
{
	(void)lowest;
	return sys_dup(fd);
}

int sys_pipe(int ends[2])
{
	(void)ends;
	return -EMFILE;
}

int sys_read_byte(int fd, char *byte, int timeout_ms)
{
	(void)fd;
	(void)byte;
	(void)timeout_ms;
	return 0;
}

int sys_write_byte(int fd, char byte)
{
	(void)fd;
	(void)byte;
	return -EPIPE;
}

uint64_t sys_page_size(void)
{
	return 4096;
}

int64_t sys_seconds(void)
{
	static int64_t seconds;

	return ++seconds;
}

uint64_t sys_memlock_limit(void)
{
	return 8 << 20;
}

const char *sys_getenv(const char *name)
{
	return strcmp(name, "MSHARE_BACKEND") == 0 ? fake.backend : NULL;
}

/* The real one gives the helper a process of its own; who is its parent does not matter here. */
int sys_run_apart(int (*run)(void *), void *arg)
{
	int err = FAULT(EAGAIN, ENOMEM);

	if (!err)
		run(arg);
	return err;
}

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	int err = fake_fault_here("posix_spawn", (int[]){ EACCES, EAGAIN, ENOMEM, ENOENT, 0 });

	(void)path;
	(void)files;
	(void)attr;
	(void)argv;
	(void)envp;
	if (err || !fake.host)
		return err ? -err : ENOENT;
	*pid = getpid();
	fake_helpers_started++;
	return 0;
}

/* Replaces flush-uring.c and caps.c, which talk to other libraries. */
int flush_uring(int fd, off_t off, uint64_t len)
{
	int err = fake_fault_here("flush_uring", (int[]){ EIO, ENOSPC, EDQUOT, ENOMEM, ENOSYS, 0 });

	(void)off;
	(void)len;
	if (!fake_file_of(fd))
		return -EBADF;
	return fake.no_uring ? -ENOSYS : err;
}

int flush_uring_probe(void)
{
	return fake.no_uring ? -EPERM : fake_fault_here("flush_uring_probe", (int[]){ ENOMEM, 0 });
}

bool caps_ipc_lock(void)
{
	return false;
}

int caps_drop_all(void)
{
	return 0;
}
