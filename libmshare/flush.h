/* SPDX-License-Identifier: MIT */
/* Writing a range of a file back: flush-uring.c with io_uring, flush-sync.c with msync(2). */
#ifndef MSHARE_FLUSH_H
#define MSHARE_FLUSH_H

#include "util.h"

/* Bytes of one request in flight: large enough to be sequential, small enough to keep a device
 * queue busy. */
#define FLUSH_CHUNK (8 * MIB)

/* 0 when [off, off+len) and what is needed to find it again is on stable storage, or -errno.
 * -ENOSYS from flush_uring() alone: io_uring is missing, forbidden or short of something it needs,
 * the file has not been judged, and flush_sync() may be asked instead. len is not 0. */
must_check int flush_uring(int fd, off_t off, uint64_t len);
must_check int flush_sync(int fd, off_t off, uint64_t len);

/* flush_uring() with flush_sync() as its twin; *used_uring tells which. len may be 0. Errors have a
 * sentence. */
must_check int flush_data(int fd, off_t off, uint64_t len, bool *used_uring);

/* Whether io_uring may be used here: 0 or -errno. */
must_check int flush_uring_probe(void);

#endif
