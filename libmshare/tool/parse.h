/* SPDX-License-Identifier: MIT */
/* Numbers that people type. */
#ifndef MSHARE_PARSE_H
#define MSHARE_PARSE_H

#include "util.h"

/* "512M", "1GiB", "2m", "4096": binary units K M G T. 0, -EINVAL junk or 0, -EOVERFLOW. */
must_check int parse_size(const char *text, uint64_t *size);

/* A decimal number from 1 to most. 0, -EINVAL or -EOVERFLOW. */
must_check int parse_count(const char *text, uint64_t most, uint64_t *count);

/* Permissions in octal, 0 to 777. 0 or -EINVAL. */
must_check int parse_mode(const char *text, uint32_t *mode);

/* "2", "0.5": seconds from least to most. 0 or -EINVAL. */
must_check int parse_seconds(const char *text, double least, double most, double *seconds);

/* The number behind "Label:" in /proc text (its unit is kB), in bytes. 0 or -ENOENT. */
must_check int parse_proc_kib(const char *text, const char *label, uint64_t *bytes);

#endif
