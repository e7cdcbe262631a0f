/* SPDX-License-Identifier: MIT */
/*
 * The functions of the C library that this library stands in for. Whatever is none of our business
 * goes straight to the kernel: no lock, no allocation, no other system call, so that it works as
 * ever in signal handlers, after vfork(2), and before constructors have run.
 */
#include <stdarg.h>
#include <sys/mman.h>

#include "convert.h"
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

static int map_beside_tracked(const struct map_call *call, void **out)
{
	int err = call->flags & MAP_FIXED ? tracked_vacate(call->addr, call->len) : 0;

	if (!err)
		err = raw_mmap(call, out);
	if (!err && !(call->flags & MAP_FIXED))
		tracked_forget(*out, call->len);
	return err;
}

PUBLIC void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	const struct map_call call = { addr, len, prot, flags, fd, off };
	const int entered = sys_errno();
	const bool concerns = convert_concerns(&call) && !guard_is_inside() &&
			      !convert_is_own(__builtin_return_address(0));
	void *out = MAP_FAILED;

	if ((!concerns && !tracked_any()) || !guard_enter())
		return plain_result(raw_mmap(&call, &out)) ? MAP_FAILED : out;
	if (concerns)
		return leave(entered, convert_map(&call, &out)) ? MAP_FAILED : out;
	return leave(entered, map_beside_tracked(&call, &out)) ? MAP_FAILED : out;
}

/* With offsets of 64 bits the above is mmap64(); mmap() is the same where long has as many. */
_Static_assert(sizeof(long) == sizeof(off_t), "mmap() would need another off_t");
PUBLIC extern __typeof__(mmap) mmap_by_its_other_name __asm__("mmap")
	__attribute__((alias("mmap64"), nothrow, leaf));

PUBLIC int munmap(void *addr, size_t len)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_munmap(addr, len));
	return leave(entered, tracked_munmap(addr, len));
}

PUBLIC int mprotect(void *addr, size_t len, int prot)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_mprotect(addr, len, prot));
	return leave(entered, tracked_mprotect(addr, len, prot));
}

PUBLIC int madvise(void *addr, size_t len, int advice)
{
	const int entered = sys_errno();

	if (!tracked_any() || !guard_enter())
		return plain_result(raw_madvise(addr, len, advice));
	return leave(entered, tracked_madvise(addr, len, advice));
}

PUBLIC void *mremap(void *addr, size_t old_len, size_t new_len, int flags, ...)
{
	const int entered = sys_errno();
	void *out = MAP_FAILED;
	void *to = NULL;
	va_list args;

	if (flags & MREMAP_FIXED) {
		va_start(args, flags);
		to = va_arg(args, void *);
		va_end(args);
	}
	if (!tracked_any() || !guard_enter())
		return plain_result(raw_mremap(addr, old_len, new_len, flags, to, &out))
			       ? MAP_FAILED
			       : out;
	return leave(entered, tracked_mremap(addr, old_len, new_len, flags, to, &out)) ? MAP_FAILED
										       : out;
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

	if (!sysv_any() || !guard_enter())
		return plain_result(raw_shmdt(addr));
	return leave(entered, sysv_detach(addr));
}
