/* SPDX-License-Identifier: MIT */
#include "sysv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "align.h"
#include "collapse.h"
#include "convert.h"
#include "ending.h"
#include "guard.h"
#include "host.h"
#include "hugelimit.h"
#include "log.h"
#include "memlimit.h"
#include "probe.h"
#include "report.h"
#include "room.h"
#include "settings.h"
#include "sysv-table.h"
#include "tracked.h"

/* Identifiers plus one of segments known to be below the threshold, the newest; so that attaching
 * one of them takes no second system call. */
#define SMALL_MOST 64
static atomic_int small_ids[SMALL_MOST];
static atomic_uint small_next;

static void remember_small(int id)
{
	unsigned int slot = atomic_fetch_add(&small_next, 1) % SMALL_MOST;

	if (!sysv_is_small(id))
		atomic_store(&small_ids[slot], id + 1);
}

bool sysv_is_small(int id)
{
	for (size_t i = 0; i < SMALL_MOST; i++)
		if (atomic_load_explicit(&small_ids[i], memory_order_relaxed) == id + 1)
			return true;
	return false;
}

static void forget_small(int id)
{
	for (size_t i = 0; i < SMALL_MOST; i++)
		if (atomic_load_explicit(&small_ids[i], memory_order_relaxed) == id + 1)
			atomic_store(&small_ids[i], 0);
}

bool sysv_any(void)
{
	return sysv_table_any();
}

static bool wants_hugetlb(void)
{
	return settings.backend == MSHARE_BACKEND_NONE ||
	       settings.backend == MSHARE_BACKEND_HUGETLB;
}

static int get_huge(key_t key, size_t size, int flags)
{
	uint64_t page = page_sizes()->pmd;

	if (!wants_hugetlb() || !(flags & IPC_CREAT || key == IPC_PRIVATE))
		return -EOPNOTSUPP;
	if (hugelimit_left(page, NULL, 0) < size)
		return -ENOMEM;
	return raw_shmget(key, size, flags | SHM_HUGETLB);
}

/* One that exists may be bigger than what is asked for. */
static bool is_new(key_t key, int flags)
{
	return key == IPC_PRIVATE || (flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL);
}

int sysv_get(key_t key, size_t size, int flags)
{
	int id = -EOPNOTSUPP;

	if (size >= settings.min_size && !(flags & SHM_HUGETLB) && guard_enter()) {
		id = get_huge(key, size, flags);
		guard_leave();
	}
	if (id < 0)
		id = raw_shmget(key, size, flags);
	if (id >= 0 && size < settings.min_size && is_new(key, flags))
		remember_small(id);
	else if (id >= 0)
		forget_small(id);
	return id;
}

/* Aligned, so that huge pages fit and their tables can be shared; anywhere, if that is taken. */
static int attach_aligned(int id, size_t len, int flags, void **out)
{
	const void *room = room_find(len);

	if (room && !raw_shmat(id, room, flags, out))
		return 0;
	return raw_shmat(id, NULL, flags, out);
}

/* What one attachment is about. */
struct segment {
	int id;
	size_t len; /* page-rounded */
	int flags; /* of shmat(2) */
	int fd; /* of the segment's file; -errno: the kernel gives none */
	void *addr;
	const char *backend; /* obtained; NULL: as it was */
	char reason[256];
};

/*
 * Advice on half a huge page is refused, on whole ones it is not. Neither takes anything away: the
 * bytes are in the segment's file.
 */
static bool is_hugetlb(const struct segment *s)
{
	size_t base = page_sizes()->base;

	return raw_madvise((char *)s->addr + base, base, MADV_DONTNEED) == -EINVAL &&
	       raw_madvise(s->addr, page_sizes()->pmd, MADV_DONTNEED) == 0;
}

static int open_segment(const struct segment *s)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)s->addr,
		 (unsigned long)s->addr + s->len);
	return sys_open(path, s->flags & SHM_RDONLY ? O_RDONLY : O_RDWR, 0);
}

/*
 * Presence lasts as long as a mapping made from the descriptor; one page without rights is enough.
 * It does not count as an attachment of the segment.
 */
static void ask_host(struct segment *s)
{
	struct map_call page = { .len = page_sizes()->base, .flags = MAP_SHARED, .fd = s->fd };
	struct sysv_attachment a = { .addr = (uintptr_t)s->addr, .len = s->len };
	void *anchor;
	int err;

	if (raw_mmap(&page, &anchor))
		return;
	a.anchor = (uintptr_t)anchor;
	if (sysv_table_add(&a) && raw_munmap(anchor, page.len))
		debug("a page stays at %p", anchor);
	err = s->flags & SHM_RDONLY ? host_announce(s->fd) : host_ensure(s->fd, "(System V)");
	if (err)
		snprintf(s->reason, sizeof(s->reason), "mshare-host cannot be started (%s)",
			 host_reason(err));
}

/* Filled by others, it can be huge at once. */
static void collapse_now(const struct segment *s)
{
	uint64_t pmd = page_sizes()->pmd;
	unsigned char *done = calloc(1, s->len / pmd + 1);

	if (done && collapse_filled(s->addr, s->len, pmd, done) < 0)
		debug("segment %d stays in base pages for now", s->id);
	free(done);
}

static bool populate(const struct segment *s)
{
	return memlimit_left() >= s->len &&
	       !collapse_populate(s->addr, s->len, page_sizes()->pmd, !(s->flags & SHM_RDONLY));
}

static void use_thp(struct segment *s)
{
	bool populated;
	bool on_touch = probe_thp_fault(SHMEM_MEMFD);

	if (!on_touch && !probe_thp_collapse()) {
		snprintf(s->reason, sizeof(s->reason),
			 "the kernel makes no huge pages for shared memory");
		return;
	}
	s->backend = "thp";
	if (on_touch && raw_madvise(s->addr, s->len, MADV_HUGEPAGE))
		debug("MADV_HUGEPAGE refused at %p", s->addr);
	populated = settings.populate && populate(s);
	if (on_touch || populated)
		return;
	if (s->fd >= 0) {
		ask_host(s);
		return;
	}
	collapse_now(s);
	snprintf(s->reason, sizeof(s->reason),
		 "only what was filled before it was attached gets huge pages, or all with "
		 "--populate: /proc/self/map_files: %s",
		 strerrordesc_np(-s->fd));
}

/* The program gets a mapping of the file; the attachment goes out of its way. */
static int use_shim(struct segment *s)
{
	const struct map_call call = { .len = s->len,
				       .prot = s->flags & SHM_RDONLY ? PROT_READ
								     : PROT_READ | PROT_WRITE,
				       .flags = MAP_SHARED,
				       .fd = s->fd };
	struct sysv_attachment a = { .identity = (uintptr_t)s->addr, .len = s->len };
	void *linked;
	int err;

	if (s->fd < 0) {
		snprintf(s->reason, sizeof(s->reason), "shim: /proc/self/map_files: %s",
			 strerrordesc_np(-s->fd));
		return -EOPNOTSUPP;
	}
	err = convert_segment(&call, &linked, s->reason, sizeof(s->reason));
	if (err)
		return err;
	a.addr = (uintptr_t)linked;
	err = sysv_table_add(&a);
	if (err) {
		if (tracked_munmap(linked, s->len))
			debug("a mapping stays at %p", linked);
		return err;
	}
	s->addr = linked;
	s->backend = "shim";
	return 0;
}

static void improve(struct segment *s, bool free_choice)
{
	if (is_hugetlb(s)) {
		s->backend = "hugetlb";
		return;
	}
	if (settings.backend == MSHARE_BACKEND_PLAIN) {
		snprintf(s->reason, sizeof(s->reason), "plain was asked for");
		return;
	}
	s->fd = open_segment(s);
	if (settings.backend == MSHARE_BACKEND_SHIM || settings.require_shared) {
		if (free_choice && use_shim(s) == 0)
			goto out;
	}
	if (settings.backend != MSHARE_BACKEND_SHIM)
		use_thp(s);
	if (!s->backend && settings.backend != MSHARE_BACKEND_SHIM && free_choice)
		(void)use_shim(s);
out:
	if (s->fd >= 0)
		sys_close(s->fd);
}

static uint64_t page_size_of(const struct segment *s)
{
	return !s->backend || !strcmp(s->backend, "shim") ? page_sizes()->base : page_sizes()->pmd;
}

static bool shares_tables(const struct segment *s)
{
	if (!s->backend || !strcmp(s->backend, "thp"))
		return false;
	return !strcmp(s->backend, "shim") ||
	       align_has_whole((uintptr_t)s->addr, 0, s->len, page_sizes()->pud);
}

static void tell(const struct segment *s, int err)
{
	const struct report_entry e = {
		.kind = "System V segment",
		.len = s->len,
		.addr = err ? NULL : s->addr,
		.backend = s->backend,
		.page_size = page_size_of(s),
		.shared_tables = shares_tables(s),
		.reason = s->reason,
		.err = err,
		.read_only = s->flags & SHM_RDONLY,
	};

	report(&e);
	ending_expect(&e);
}

int sysv_attach(int id, const void *addr, int flags, void **out)
{
	struct segment s = { .id = id, .flags = flags, .fd = -EOPNOTSUPP };
	struct shmid_ds ds;
	uint64_t len;
	int err = raw_shmctl(id, IPC_STAT, &ds);

	if (!err && ds.shm_segsz < settings.min_size)
		remember_small(id);
	/* What may not be looked at may still be attached, or not: the kernel knows. */
	if (err || ds.shm_segsz < settings.min_size || (flags & (SHM_EXEC | SHM_REMAP)) ||
	    align_up(ds.shm_segsz, page_sizes()->base, &len) || guard_in_handler())
		return raw_shmat(id, addr, flags, out);
	s.len = len;
	err = addr ? raw_shmat(id, addr, flags, &s.addr)
		   : attach_aligned(id, s.len, flags, &s.addr);
	if (!err)
		improve(&s, !addr);
	if (!err && settings.require_shared && !shares_tables(&s)) {
		err = sysv_detach(s.addr);
		s.backend = NULL;
		if (!s.reason[0])
			snprintf(s.reason, sizeof(s.reason), "its tables are not shared here");
		err = err ? err : -EOPNOTSUPP;
	}
	tell(&s, err);
	if (!err)
		*out = s.addr;
	return err;
}

int sysv_detach(const void *addr)
{
	struct sysv_attachment a;
	int err = 0;

	if (!sysv_table_take((uintptr_t)addr, &a))
		return raw_shmdt(addr);
	if (a.identity)
		err = tracked_munmap((void *)a.addr, a.len);
	if (!err && a.anchor)
		err = raw_munmap((void *)a.anchor, page_sizes()->base);
	return err ? err : raw_shmdt(a.identity ? (void *)a.identity : addr);
}
