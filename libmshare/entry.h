/* SPDX-License-Identifier: MIT */
/* How a public call begins and ends. */
#ifndef MSHARE_ENTRY_H
#define MSHARE_ENTRY_H

#include "handle.h"
#include "mshare.h"
#include "region.h"
#include "sys.h"

/* How the thread was when it called. */
struct entry {
	int error; /* errno */
	int cancel_state;
};

/*
 * No call is a cancellation point: a thread that ended in one would keep descriptors, buffers and
 * its reference to the region.
 */
struct entry entry_begin(void);

/*
 * -errno inside, errno and a sentence outside. A call that succeeds leaves errno alone, whatever
 * the C library did to it on the way (allocations and streams set it when a fallback gets over
 * their failure).
 */
int entry_leave(struct entry entered, int err);

/* -EBADF with a sentence. */
int entry_unknown(mshare_t h);

/*
 * As mshare_create(), for `mshare load`: the object is linked to no name, and lies where the name
 * can be given by sys_link_fd(). EOPNOTSUPP: a file system that cannot do that.
 */
mshare_t region_create_unlinked(const char *name, size_t size, const struct mshare_attr *attr);

/*
 * A call that is made with a handle: `call` is an expression about `struct region *r`, which it has
 * a reference to until it has ended. The value is what the public call returns.
 */
#define CALL(h, call)                                                                              \
	({                                                                                         \
		const struct entry entered = entry_begin();                                        \
		struct region *r = handle_get(h);                                                  \
		int call_err = r ? (call) : entry_unknown(h);                                      \
		if (r)                                                                             \
			region_put(r);                                                             \
		entry_leave(entered, call_err);                                                    \
	})

#endif
