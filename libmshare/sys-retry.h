/* SPDX-License-Identifier: MIT */
/* For sys.c, sys-image.c and sys-control.c only: how errno becomes a result. */
#ifndef MSHARE_SYS_RETRY_H
#define MSHARE_SYS_RETRY_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Repeats an expression while a signal interrupts it; the value is its result or -errno. */
#define RETRY(expression)                                                                          \
	({                                                                                         \
		long retry_result;                                                                 \
		int retry_saved = errno;                                                           \
		do                                                                                 \
			retry_result = (long)(expression);                                         \
		while (retry_result == -1 && errno == EINTR);                                      \
		if (retry_result == -1)                                                            \
			retry_result = -errno;                                                     \
		errno = retry_saved;                                                               \
		retry_result;                                                                      \
	})

/*
 * What open(2) gave, moved away from the standard descriptors: a program that has closed them, as
 * daemons do, would write its messages into a region or an image, or put something else in its
 * place with dup2(2). -EINVAL is what the kernel says when RLIMIT_NOFILE allows no higher ones.
 */
static inline int above_standard(int fd)
{
	int saved = errno;
	int copy;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	copy = (int)RETRY(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
	close(fd);
	errno = saved;
	return copy == -EINVAL ? -EMFILE : copy;
}

#endif
