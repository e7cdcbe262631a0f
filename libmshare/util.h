/* SPDX-License-Identifier: MIT */
/* Small things every file needs: attributes, cleanup, arithmetic that cannot overflow unnoticed. */
#ifndef MSHARE_UTIL_H
#define MSHARE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

#define must_check __attribute__((warn_unused_result))
#define print_format(fmt, args) __attribute__((format(printf, fmt, args)))
#define cleanup_fd __attribute__((cleanup(close_fd_cleanup)))

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* A descriptor that goes when the scope does; keep_fd() takes it out. */
static inline void close_fd_cleanup(const int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
}

static inline int keep_fd(int *fd)
{
	int kept = *fd;

	*fd = -1;
	return kept;
}

static inline bool is_multiple(uint64_t value, uint64_t of)
{
	return value % of == 0;
}

#endif
