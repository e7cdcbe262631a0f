/* SPDX-License-Identifier: MIT */
#include "guard.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "raw.h"

/* In the block that every thread has from its start (initial-exec): no call, no allocation. */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

THREAD_LOCAL volatile sig_atomic_t inside;
/* This thread has `insiders` for writing: handlers that run meanwhile come in as they are. */
THREAD_LOCAL volatile sig_atomic_t forking;
THREAD_LOCAL sigset_t signals_before; /* while inside */
THREAD_LOCAL int cancelling_before; /* while inside */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * Read-locked by who is inside, write-locked across fork(2): a child finds no lock of ours or of
 * the library's taken, and inherits no descriptor of a conversion in progress.
 */
#define NOBODY_INSIDE PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
static pthread_rwlock_t insiders = NOBODY_INSIDE;

static atomic_int owner; /* the process for which everything here is in order */
static atomic_uint forks;
static atomic_bool used; /* somebody was inside */

/*
 * No handler runs meanwhile, for it might not return but longjmp(3); and the calls that we stand in
 * for are no points of cancellation, though some that we make are.
 */
bool guard_enter(void)
{
	sigset_t all;

	if (inside || raw_getpid() != atomic_load_explicit(&owner, memory_order_relaxed))
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &signals_before);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling_before);
	inside = 1;
	atomic_store_explicit(&used, true, memory_order_relaxed);
	if (!forking)
		pthread_rwlock_rdlock(&insiders);
	return true;
}

void guard_leave(void)
{
	sigset_t before = signals_before;

	if (!forking)
		pthread_rwlock_unlock(&insiders);
	inside = 0;
	pthread_setcancelstate(cancelling_before, NULL);
	raw_sigmask(&before);
}

bool guard_is_inside(void)
{
	return inside;
}

void guard_lock(void)
{
	pthread_mutex_lock(&lock);
}

void guard_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

unsigned int guard_forks(void)
{
	return atomic_load_explicit(&forks, memory_order_relaxed);
}

static void one_more_fork(void)
{
	atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void lock_for_fork(void)
{
	forking = 1;
	pthread_rwlock_wrlock(&insiders);
}

static void unlock_after_fork(void)
{
	pthread_rwlock_unlock(&insiders);
	forking = 0;
}

/*
 * No handler comes in while the lock is half taken. A program that has nothing to do with us makes
 * no further system call for that.
 */
static void without_signals(void (*function)(void))
{
	sigset_t all, before;

	if (!atomic_load_explicit(&used, memory_order_relaxed)) {
		function();
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	function();
	raw_sigmask(&before);
}

static void before_fork(void)
{
	one_more_fork();
	without_signals(lock_for_fork);
}

/* What was mapped in between is shared as well. */
static void after_fork_in_parent(void)
{
	one_more_fork();
	without_signals(unlock_after_fork);
}

/*
 * The only thread of a new process has the number of the process, and the C library knows it: a
 * mutex says by whom it is locked. A system call would be one more for programs that have nothing
 * to do with us.
 */
static int own_number(void)
{
	int number;

	guard_lock();
	number = lock.__data.__owner;
	guard_unlock();
	return number;
}

/* The writer was a thread of the parent, by its number: here it is made anew. */
static void after_fork_in_child(void)
{
	insiders = (pthread_rwlock_t)NOBODY_INSIDE;
	forking = 0;
	one_more_fork();
	atomic_store(&owner, own_number());
}

void guard_start(void)
{
	atomic_store(&owner, raw_getpid());
	/* Without it a child would take itself for one of vfork(2), and leave everything alone. */
	(void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/*
 * Where a thread waits for signals or lets them in, it holds no lock of malloc(3) or of ours. Some
 * servers do all their work in handlers, and let them in nowhere else: PostgreSQL up to 15 makes
 * its memory anew after a crash in that of SIGCHLD.
 */
static bool is_place_for_signals(void *function)
{
	void *const places[] = {
		(void *)select,	     (void *)pselect,	      (void *)poll,
		(void *)ppoll,	     (void *)epoll_wait,      (void *)epoll_pwait,
		(void *)sigsuspend,  (void *)pause,	      (void *)nanosleep,
		(void *)sigprocmask, (void *)pthread_sigmask, (void *)clock_nanosleep,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i] == function)
			return true;
	return false;
}

/*
 * Frames that a signal interrupted have their exact address, others that of the next instruction:
 * the unwinder says which.
 */
static _Unwind_Reason_Code look_at(struct _Unwind_Context *frame, void *found)
{
	int interrupted = 0;
	uintptr_t at = _Unwind_GetIPInfo(frame, &interrupted);

	if (!interrupted || is_place_for_signals(_Unwind_FindEnclosingFunction((void *)at)))
		return _URC_NO_REASON;
	*(bool *)found = true;
	return _URC_NORMAL_STOP;
}

/*
 * A conversion takes some pages of stack, and looking at frames one or two. Where a program has set
 * aside less, it is the kernel's call.
 */
#define ENOUGH_STACK ((size_t)64 << 10)

static bool is_on_small_stack(void)
{
	stack_t stack;

	return !sigaltstack(NULL, &stack) && (stack.ss_flags & SS_ONSTACK) &&
	       stack.ss_size < ENOUGH_STACK;
}

bool guard_in_handler(void)
{
	bool found = is_on_small_stack();

	if (!found)
		(void)_Unwind_Backtrace(look_at, &found);
	return found;
}
