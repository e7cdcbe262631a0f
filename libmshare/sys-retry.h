/* SPDX-License-Identifier: MIT */
/* For sys.c and sys-image.c only: how errno becomes a result. */
#ifndef MSHARE_SYS_RETRY_H
#define MSHARE_SYS_RETRY_H

#include <errno.h>

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

#endif
