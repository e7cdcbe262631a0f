/* SPDX-License-Identifier: MIT */
/* System calls of region-wide control: see sys.h. */
#include "sys.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys-retry.h"

int sys_mprotect(void *addr, size_t len, int prot)
{
	return (int)RETRY(mprotect(addr, len, prot));
}

/* The system call itself: sanitizers make the function of that name do nothing. */
int sys_mlock(void *addr, size_t len)
{
	return (int)RETRY(syscall(SYS_mlock, addr, len));
}

int sys_mremap_copy(void *from, size_t len, void *to, void **out)
{
	int flags = to ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE;
	void *addr = mremap(from, 0, len, flags, to);

	if (addr == MAP_FAILED)
		return (int)sys_result(-1);
	*out = addr;
	return 0;
}

int sys_mremap_to(void *from, size_t len, void *to)
{
	void *addr = mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return addr == MAP_FAILED ? (int)sys_result(-1) : 0;
}

int sys_seal(int fd, int seals)
{
	return (int)RETRY(fcntl(fd, F_ADD_SEALS, seals));
}

int sys_mbind(void *addr, size_t len, int mode, const unsigned long *nodes, unsigned long maxnode)
{
	return (int)RETRY(syscall(SYS_mbind, addr, len, mode, nodes, maxnode, 0));
}

int sys_set_mempolicy_local(void)
{
	return (int)RETRY(syscall(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0));
}

int sys_shrink(int fd, off_t size)
{
	return (int)RETRY(ftruncate(fd, size));
}

int sys_pidfd_open(pid_t pid)
{
	return above_standard((int)RETRY(syscall(SYS_pidfd_open, pid, 0)));
}

bool sys_pidfd_ended(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return RETRY(poll(&poll_fd, 1, 0)) > 0;
}

int sys_write_text(int fd, const char *text, size_t len)
{
	long written = RETRY(write(fd, text, len));

	return written < 0 ? (int)written : 0;
}

int sys_readahead(int fd, off_t off, off_t len)
{
	return -posix_fadvise(fd, off, len, POSIX_FADV_WILLNEED);
}
