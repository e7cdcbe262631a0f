/* SPDX-License-Identifier: MIT */
/* How a public call ends. */
#ifndef MSHARE_ENTRY_H
#define MSHARE_ENTRY_H

#include "mshare.h"

/*
 * -errno inside, errno and a sentence outside. A call that succeeds leaves errno alone, whatever
 * the C library did to it on the way (allocations and streams set it when a fallback gets over
 * their failure): entered is sys_errno() at the start of the call.
 */
int entry_leave(int entered, int err);

/* -EBADF with a sentence. */
int entry_unknown(mshare_t h);

#endif
