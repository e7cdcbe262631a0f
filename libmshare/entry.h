/* SPDX-License-Identifier: MIT */
/* How a public call ends. */
#ifndef MSHARE_ENTRY_H
#define MSHARE_ENTRY_H

#include "handle.h"
#include "mshare.h"
#include "region.h"
#include "sys.h"

/*
 * -errno inside, errno and a sentence outside. A call that succeeds leaves errno alone, whatever
 * the C library did to it on the way (allocations and streams set it when a fallback gets over
 * their failure): entered is sys_errno() at the start of the call.
 */
int entry_leave(int entered, int err);

/* -EBADF with a sentence. */
int entry_unknown(mshare_t h);

/*
 * As mshare_create(), for `mshare load`: the object is linked to no name, and lies where the name can
 * be given by sys_link_fd(). EOPNOTSUPP: a file system that cannot do that.
 */
mshare_t region_create_unlinked(const char *name, size_t size);

/*
 * A call that is made with a handle: `call` is an expression about `struct region *r`, which it has a
 * reference to until it has ended. The value is what the public call returns.
 */
#define CALL(h, call)                                                                              \
	({                                                                                         \
		const int entered = sys_errno();                                                   \
		struct region *r = handle_get(h);                                                  \
		int call_err = r ? (call) : entry_unknown(h);                                      \
		if (r)                                                                             \
			region_put(r);                                                             \
		entry_leave(entered, call_err);                                                    \
	})

#endif
