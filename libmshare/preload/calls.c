/* SPDX-License-Identifier: MIT */
/*
 * The functions of the C library that this library stands in for. Whatever is none of our business
 * goes straight to the kernel: no lock, no allocation, no other system call, so that it works as
 * ever in signal handlers, after vfork(2), and before constructors have run.
 */
#include <stdarg.h>
#include <sys/mman.h>

#include "convert.h"
#include "ending.h"
#include "guard.h"
#include "settings.h"
#include "sysv.h"
#include "tracked.h"

#define PUBLIC __attribute__((visibility("default")))

__attribute__((constructor)) static void start(void)
{
	guard_start();
	settings_read();
}

/* errno outside; left alone on success, whatever happened to it on the way. */
static int leave(int entered, int err)
{
	guard_leave();
	if (err < 0)
		return sys_fail(err);
	sys_set_errno(entered);
	return 0;
}

/* The result of a call that only the kernel has seen. */
static int plain_result(int err)
{
	return err < 0 ? sys_fail(err) : 0;
}

static bool replaces(const struct map_call *call)
{
	return call->flags & MAP_FIXED && ending_concerns(call->addr, call->len);
}

static int map_beside_tracked(const struct map_call *call, void **out)
{
	int err = call->flags & MAP_FIXED ? tracked_vacate(call->addr, call->len) : 0;

	if (!err)
		err = raw_mmap(call, out);
	if (!err && !(call->flags & MAP_FIXED))
		tracked_forget(*out, call->len);
	return err;
}

static int map(const struct map_call *call, bool concerns, void **out)
{
	const bool ends = replaces(call);
	int err;

	if (ends)
		ending_prepare(call->addr, call->len);
	err = concerns ? convert_map(call, out) : map_beside_tracked(call, out);
	if (ends)
		ending_done(call->addr, call->len, err);
	return err;
}

static int unmap(void *addr, size_t len)
{
	int err;

	ending_prepare(addr, len);
	err = tracked_munmap(addr, len);
	ending_done(addr, len, err);
	return err;
}

struct move_call {
	void *addr;
	size_t old_len;
	size_t new_len;
	int flags;
	void *to; /* with MREMAP_FIXED; else NULL */
};

static int move(const struct move_call *call, void **out)
{
	const size_t replaced = call->to ? call->new_len : 0;
	int err;

	ending_prepare(call->to, replaced);
	err = tracked_mremap(call->addr, call->old_len, call->new_len, call->flags, call->to, out);
	if (!err)
		ending_moved(call->addr, call->old_len, *out, call->new_len);
	ending_done(call->to, replaced, err);
	return err;
}

static int detach(const void *addr)
{
	const size_t len = ending_length(addr);
	int err;

	ending_prepare(addr, len);
	err = sysv_detach(addr);
	ending_done(addr, len, err);
	return err;
}

PUBLIC void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	const struct map_call call = { addr, len, prot, flags, fd, off };
	const int entered = sys_errno();
	const bool concerns = convert_concerns(&call) && !guard_is_inside() &&
			      !convert_is_own(__builtin_return_address(0));
	void *out = MAP_FAILED;

	if ((!concerns && !tracked_any() && !replaces(&call)) || !guard_enter())
		return plain_result(raw_mmap(&call, &out)) ? MAP_FAILED : out;
	return leave(entered, map(&call, concerns, &out)) ? MAP_FAILED : out;
}

/* With offsets of 64 bits the above is mmap64(); mmap() is the same where long has as many. */
_Static_assert(sizeof(long) == sizeof(off_t), "mmap() would need another off_t");
PUBLIC extern __typeof__(mmap) mmap_by_its_other_name __asm__("mmap")
	__attribute__((alias("mmap64"), nothrow, leaf));

PUBLIC int munmap(void *addr, size_t len)
{
	const int entered = sys_errno();

	if ((!tracked_any() && !ending_concerns(addr, len)) || !guard_enter())
		return plain_result(raw_munmap(addr, len));
	return leave(entered, unmap(addr, len));
}

PUBLIC int mprotect(void *addr, size_t len, int prot)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_mprotect(addr, len, prot));
	return leave(entered, tracked_mprotect(addr, len, prot));
}

/* Without a key it is the above, and the C library makes that call by itself. */
PUBLIC int pkey_mprotect(void *addr, size_t len, int prot, int pkey)
{
	const int entered = sys_errno();

	if (pkey == -1)
		return mprotect(addr, len, prot);
	if (!tracked_any() || !guard_enter())
		return plain_result(raw_pkey_mprotect(addr, len, prot, pkey));
	return leave(entered, tracked_pkey_mprotect(addr, len, prot, pkey));
}

PUBLIC int madvise(void *addr, size_t len, int advice)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_madvise(addr, len, advice));
	return leave(entered, tracked_madvise(addr, len, advice));
}

/* Returns its errors. POSIX_MADV_DONTNEED may take nothing away, unlike MADV_DONTNEED. */
PUBLIC int posix_madvise(void *addr, size_t len, int advice)
{
	const int entered = sys_errno();
	int err = 0;

	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	if (!tracked_any() || !guard_enter()) {
		err = raw_madvise(addr, len, advice);
	} else {
		err = tracked_madvise(addr, len, advice);
		guard_leave();
	}
	sys_set_errno(entered);
	return -err;
}

PUBLIC int mlock(const void *addr, size_t len)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_mlock((void *)addr, len));
	return leave(entered, tracked_mlock((void *)addr, len, 0));
}

PUBLIC int mlock2(const void *addr, size_t len, unsigned int flags)
{
	const int entered = sys_errno();

	if (!flags)
		return mlock(addr, len);
	if (!tracked_any() || !guard_enter())
		return plain_result(raw_mlock2((void *)addr, len, flags));
	return leave(entered, tracked_mlock((void *)addr, len, flags));
}

PUBLIC void *mremap(void *addr, size_t old_len, size_t new_len, int flags, ...)
{
	const int entered = sys_errno();
	void *out = MAP_FAILED;
	void *to = NULL;
	va_list args;
	int err;

	if (flags & MREMAP_FIXED) {
		va_start(args, flags);
		to = va_arg(args, void *);
		va_end(args);
	}
	if ((!tracked_any() && !ending_concerns(addr, old_len) && !ending_concerns(to, new_len)) ||
	    !guard_enter())
		return plain_result(raw_mremap(addr, old_len, new_len, flags, to, &out))
			       ? MAP_FAILED
			       : out;
	err = move(&(struct move_call){ addr, old_len, new_len, flags, to }, &out);
	return leave(entered, err) ? MAP_FAILED : out;
}

PUBLIC int shmget(key_t key, size_t size, int flags)
{
	const int entered = sys_errno();
	int id = sysv_get(key, size, flags);

	if (id < 0)
		return sys_fail(id);
	sys_set_errno(entered);
	return id;
}

PUBLIC void *shmat(int id, const void *addr, int flags)
{
	const int entered = sys_errno();
	void *out = MAP_FAILED;

	if (sysv_is_small(id) || !guard_enter())
		return plain_result(raw_shmat(id, addr, flags, &out)) ? MAP_FAILED : out;
	return leave(entered, sysv_attach(id, addr, flags, &out)) ? MAP_FAILED : out;
}

PUBLIC int shmdt(const void *addr)
{
	const int entered = sys_errno();

	if ((!sysv_any() && !ending_concerns(addr, 1)) || !guard_enter())
		return plain_result(raw_shmdt(addr));
	return leave(entered, detach(addr));
}
