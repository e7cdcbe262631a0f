/* SPDX-License-Identifier: MIT */
/*
 * When a call may do more than the kernel's: not inside this library, which calls the functions it
 * stands in for; not in a signal handler, which may have interrupted malloc(3); not in the child of
 * vfork(2) or of a bare clone(2), where locks may be held by threads that are not there.
 */
#ifndef MSHARE_PRELOAD_GUARD_H
#define MSHARE_PRELOAD_GUARD_H

#include "util.h"

/* Once, before any other call. */
void guard_start(void);

/*
 * False: pass the call on to the kernel. True: nothing of this thread comes in until guard_leave();
 * signals and cancellation wait until then.
 */
must_check bool guard_enter(void);
void guard_leave(void);
bool guard_is_inside(void);

/* Whether a signal handler is running on this stack that interrupted more than waiting for signals,
 * or one on a stack of its own that is small. Only for calls that cost much more. */
must_check bool guard_in_handler(void);

/* Children this process has made so far; what is older than the last of them may be shared. */
unsigned int guard_forks(void);

/* The lock of what this library remembers. Within guard_enter() only. */
void guard_lock(void);
void guard_unlock(void);

#endif
