/* SPDX-License-Identifier: MIT */
/* What belongs to attached System V segments beside the mapping that the program knows. */
#ifndef MSHARE_PRELOAD_SYSV_TABLE_H
#define MSHARE_PRELOAD_SYSV_TABLE_H

#include "util.h"

struct sysv_attachment {
	uintptr_t addr; /* as the program knows it */
	size_t len; /* page-rounded */
	uintptr_t identity; /* the attachment that the kernel counts; 0: that at addr */
	uintptr_t anchor; /* a page that keeps our presence known to mshare-host; 0: none */
};

bool sysv_table_any(void);

/* 0; -ENOSPC: no room for another. */
must_check int sysv_table_add(const struct sysv_attachment *a);

/* Takes out the one at addr; false: there is none. */
bool sysv_table_take(uintptr_t addr, struct sysv_attachment *out);

#endif
