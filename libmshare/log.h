/* SPDX-License-Identifier: MIT */
/* Sentences for people: the per-thread text behind mshare_errmsg(), and MSHARE_DEBUG=1 tracing to
 * stderr. */
#ifndef MSHARE_LOG_H
#define MSHARE_LOG_H

#include "util.h"

/* Records the sentence and returns err unchanged: `return fail(-EINVAL, "size is 0");` */
must_check print_format(2, 3) int fail(int err, const char *fmt, ...);

/* The sentence recorded last; "" if none. For code that goes on in another way and keeps the
 * reason. */
const char *fail_reason(void);

/* Makes it the one mshare_errmsg() shows: the failure has reached the caller. */
void fail_publish(void);
const char *fail_message(void);

/* One line on stderr when MSHARE_DEBUG is set. */
print_format(1, 2) void debug(const char *fmt, ...);

/* A size for people, exact: "2 MiB", "4097 bytes". buf holds at least SIZE_TEXT bytes. Returns buf.
 */
#define SIZE_TEXT 32
const char *size_text(uint64_t bytes, char *buf);

#endif
