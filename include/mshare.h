/* SPDX-License-Identifier: MIT */
/*
 * libmshare: shared memory whose page tables are shared, or as small as this machine allows.
 *
 * A region is a file (memfd, POSIX shared memory, hugetlbfs or regular file). Every process that
 * attaches it sees the bytes of that file; what the library adds is the cheapest page tables the
 * machine can give for them. mshare(7) explains the ideas, mshare_create(3) and so on each call.
 *
 * Conventions, for every call unless it says otherwise
 *   Returns     Pointers or 0 on success; NULL, MAP_FAILED or -1 with errno set on failure. errno
 *               is left alone on success. mshare_errmsg() then has a sentence with the numbers.
 *   Atomic      A call that fails has mapped nothing, created no name and kept no descriptor.
 *   Threads     Any call from any thread at any time, on the same handle too. A call in progress
 *               keeps its region alive when another thread closes the handle.
 *   Signals     No call is async-signal-safe. None returns EINTR: interrupted waits go on.
 *   fork(2)     The child has the same handles and attachments and may use every call at once,
 *               also when the parent has many threads. Not for the child of vfork(2).
 *   execve(2)   Handles and attachments are gone, descriptors are closed (O_CLOEXEC); the region
 *               stays for the others. To hand it on, pass dup(mshare_fd(r)) and use
 *               mshare_from_fd().
 *   Crash       When an attached process dies, at any instant, the bytes and the other processes
 *               are unharmed. Nothing has to be repaired; a name stays until mshare_unlink().
 *   Sizes       All sizes, lengths and offsets are bytes.
 *
 * Caveats
 *   - A file that is made shorter (ftruncate(2) by anyone allowed to) makes access past its new
 *     end raise SIGBUS, as with mmap(2). mshare_stat() then reports MSHARE_STAT_F_TRUNCATED. Seal
 *     a memfd with F_SEAL_SHRINK where that must not happen.
 *   - Shared memory has no bytes reserved in RAM: memory and cgroup limits act when pages are first
 *     touched (OOM killer; SIGBUS for a full /dev/shm or a hugetlb cgroup limit). Without
 *     MSHARE_NORESERVE a new region is refused when it could not fit even now.
 *   - hugetlb memory is never swapped or migrated under pressure, and write(2) to its descriptor
 *     fails. Discarding gives its pages back to the pool, and their reservation with them: touching
 *     the range again takes a free page or raises SIGBUS. Attaching the range anew reserves it.
 *   - Addresses differ between processes unless MSHARE_SAME_ADDR is used: store offsets.
 *   - An attachment may be unmapped only whole, with mshare_detach(). Unmapping it by hand with
 *     munmap(2) works; the library notices when the address is used again.
 *   - The library keeps a shared open-file-description lock on one byte near the end of the 63-bit
 *     offset space of memfd and POSIX shared memory objects (fcntl(2), F_OFD_SETLK), by which the
 *     helper process mshare-host sees that the region is in use. A lock of the whole file would
 *     collide with it.
 *   - The helper is nobody's child and raises no SIGCHLD, except in a process that inherits orphans
 *     (PR_SET_CHILD_SUBREAPER, or process 1 of a container).
 */
#ifndef MSHARE_H
#define MSHARE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#define MSHARE_VERSION_MAJOR 0
#define MSHARE_VERSION_MINOR 1
#define MSHARE_VERSION_PATCH 0

#define MSHARE_API __attribute__((visibility("default")))

/* A handle: a ticket, not an address, so that using it after mshare_close() is a clean EBADF. */
typedef struct mshare_handle *mshare_t;

/* Kinds of pages, weakest first, so that "at least" has a meaning. Real sizes: mshare_probe(). */
enum mshare_pages {
	MSHARE_PAGES_AUTO = 0, /* whatever is best on this machine */
	MSHARE_PAGES_BASE = 1, /* base pages (4 KiB on x86-64) */
	MSHARE_PAGES_THP = 2, /* transparent huge pages, mapped by one PMD (2 MiB on x86-64) */
	MSHARE_PAGES_PMD = 3, /* hugetlb pages of PMD size, from the reserved pool */
	MSHARE_PAGES_PUD = 4, /* hugetlb pages of PUD size (1 GiB on x86-64) */
};

/* Alignment of sizes and addresses. */
enum mshare_level {
	MSHARE_ALIGN_AUTO = 0, /* PMD below PUD size, PUD from there on */
	MSHARE_ALIGN_BASE = 1,
	MSHARE_ALIGN_PMD = 2, /* what one PMD entry covers: 2 MiB on x86-64 */
	MSHARE_ALIGN_PUD = 3, /* what one PUD entry covers: 1 GiB on x86-64 */
};

/* How a region's pages are mapped. */
enum mshare_backend {
	MSHARE_BACKEND_NONE = 0,
	MSHARE_BACKEND_PLAIN = 1, /* ordinary MAP_SHARED */
	MSHARE_BACKEND_THP = 2, /* shared memory in transparent huge pages */
	MSHARE_BACKEND_HUGETLB = 3, /* reserved huge pages; the kernel shares their PMD tables */
	MSHARE_BACKEND_SHIM = 4, /* one set of page tables for all, by the kernel module */
};
#define MSHARE_BACKEND_COUNT 5

/* mshare_attr.flags */
#define MSHARE_REQUIRE_SHARED_TABLES (1ull << 0) /* fail unless processes share page tables */
#define MSHARE_NORESERVE (1ull << 1) /* accept a size the file system cannot hold today */

/*
 * What the caller requires and prefers. NULL means all defaults. Falling back below `require` is an
 * error (EOPNOTSUPP); falling back below `prefer` is normal, and mshare_stat() tells.
 */
struct mshare_attr {
	size_t size; /* sizeof(struct mshare_attr) */
	uint64_t flags; /* MSHARE_REQUIRE_SHARED_TABLES, MSHARE_NORESERVE */
	uint32_t prefer; /* enum mshare_pages: tried first; AUTO: the best there is */
	uint32_t require; /* enum mshare_pages: the weakest that is acceptable; AUTO: anything */
	uint32_t align; /* enum mshare_level: of a new region's size and of attach addresses */
	uint32_t mode; /* permission bits of a new name, less the umask; 0 means 0600 */
};
/* clang-format off */
#define MSHARE_ATTR_INIT { sizeof(struct mshare_attr), 0, 0, 0, 0, 0 }
/* clang-format on */

/*
 * mshare_create - make a new region
 * @name: a name as for shm_open(3): one leading slash, no other, at most 255 bytes after it. The
 *        object appears under that name complete, never half made. NULL: no name (a memfd).
 * @size: bytes, more than 0. Rounded up as mshare_align(size, attr->align) does; for hugetlb pages,
 *        which cost memory, only to the page size. mshare_stat() tells the result.
 * @attr: requirements and preferences, or NULL.
 *
 * All bytes read as zero. The huge pages of a hugetlb region are reserved before this returns, so
 * no process can run into an empty pool later. MSHARE_BACKEND=shim|hugetlb|thp|plain in the
 * environment (ignored in set-user-ID programs) leaves only that backend to choose from.
 *
 * Returns a handle, to be closed with mshare_close(); NULL on failure:
 *   EINVAL        size 0, bad name, unknown attr flag or value, attr->size too small, bad
 *                 MSHARE_BACKEND
 *   E2BIG         attr has non-zero bytes beyond what this library knows, or more than 4096
 *   EOVERFLOW     size does not fit a file offset once aligned, or exceeds RLIMIT_FSIZE
 *   ENAMETOOLONG  the name is too long
 *   EEXIST        the name exists
 *   ENOENT        there is no /dev/shm
 *   EACCES, EPERM no right to create the object
 *   ENOSPC        the file system holds less than size (see MSHARE_NORESERVE), or a quota is full
 *   EOPNOTSUPP    what attr requires, or MSHARE_BACKEND names, cannot be had here
 *   EMFILE, ENFILE  the process or the system may have no more open files
 *   ENOMEM        no memory, or no room in the address space
 */
MSHARE_API mshare_t mshare_create(const char *name, size_t size, const struct mshare_attr *attr);

/*
 * mshare_open - an existing region by name
 * @name:  as for mshare_create(). Objects made by shm_open(3) count.
 * @oflag: O_RDONLY or O_RDWR.
 * @attr:  as for mshare_create(); align gives the alignment of addresses, mode is not used.
 *
 * Returns a handle; NULL on failure:
 *   EINVAL        as for mshare_create(); another oflag; size 0, or not a regular file
 *   E2BIG         as for mshare_create()
 *   ENAMETOOLONG  the name is too long
 *   ENOENT        no such name
 *   EACCES        no right to it
 *   EOPNOTSUPP    what attr requires, or MSHARE_BACKEND names, cannot be had for this object
 *   EMFILE, ENFILE  the process or the system may have no more open files
 *   ENOMEM        no memory
 */
MSHARE_API mshare_t mshare_open(const char *name, int oflag, const struct mshare_attr *attr);

/*
 * mshare_from_fd - a region from a descriptor
 * @fd:   a memfd, shared memory, hugetlbfs or regular file, inherited, opened or received over a
 *        socket. Open for reading. The library duplicates it; the caller keeps and closes its own.
 * @attr: as for mshare_open().
 *
 * Returns a handle; NULL on failure:
 *   EBADF       not an open descriptor, or open with O_PATH
 *   EACCES      not open for reading
 *   ENODEV      not a file that can be mapped shared
 *   EINVAL      a file of size 0; bad attr or MSHARE_BACKEND
 *   E2BIG       as for mshare_create()
 *   EOPNOTSUPP  what attr requires, or MSHARE_BACKEND names, cannot be had for this file
 *   EMFILE, ENFILE  the process or the system may have no more open files
 *   ENOMEM      no memory
 */
MSHARE_API mshare_t mshare_from_fd(int fd, const struct mshare_attr *attr);

/*
 * mshare_fd - the descriptor of the region, to hand on or to fstat(2), seal, ftruncate(2)
 *
 * It belongs to the handle, is close-on-exec, and goes with mshare_close(). Returns it; -1 on
 * failure:
 *   EBADF  r is NULL, closed or not a handle
 */
MSHARE_API int mshare_fd(mshare_t r);

/* mshare_attach() flags */
#define MSHARE_FIXED (1u << 0) /* at addr exactly, or EEXIST; never replaces a mapping */
#define MSHARE_POPULATE (1u << 1) /* allocate all pages, huge if possible, and map them */
#define MSHARE_SAME_ADDR (1u << 2) /* at one address in every process, or EADDRINUSE */

/*
 * mshare_attach - map a region, or a part of it
 * @r:     the region.
 * @addr:  NULL: the kernel picks an address with the region's alignment. Else a hint, or with
 *         MSHARE_FIXED or MSHARE_SAME_ADDR the address; a multiple of the grid (mshare_stat: PMD
 *         size, or the page size where that is larger).
 * @off:   where in the region; a multiple of the grid.
 * @len:   bytes, more than 0; the mapping is rounded up to the page size, or to PMD size where
 *         the module shares tables. off+len must not pass the end.
 * @prot:  PROT_NONE, PROT_READ or PROT_READ|PROT_WRITE.
 * @flags: the above. MSHARE_SAME_ADDR with addr NULL: an address that follows from the identity of
 *         the file (device, inode number), on which processes that never met agree, all its life.
 *
 * The time this takes does not depend on len, except with MSHARE_POPULATE. Inherited by fork(2).
 *
 * Returns the address; MAP_FAILED on failure:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      len 0, addr or off not on the grid, unknown prot or flag, PROT_WRITE without
 *               PROT_READ, addr NULL with MSHARE_FIXED, PROT_NONE with MSHARE_POPULATE
 *   ENXIO       off+len passes the present end of the region (mshare_stat: region_size)
 *   EACCES      PROT_WRITE on a region opened read-only
 *   EPERM       PROT_WRITE on a memfd sealed against writing
 *   EEXIST, EADDRINUSE  with MSHARE_FIXED; MSHARE_SAME_ADDR: something is mapped there
 *   ENODEV      the file cannot be mapped, as those of sysfs
 *   ENOMEM      no room in the address space, RLIMIT_AS, too many mappings; huge pages that were
 *               not reserved before and are not free; with MSHARE_POPULATE no memory, also by the
 *               limit of a cgroup; RLIMIT_MEMLOCK after mlockall(MCL_FUTURE)
 *   EOPNOTSUPP  MSHARE_POPULATE before Linux 5.14; no shared tables: attr, mshare_map() need them
 *   EOWNERDEAD  others see what mshare_map() did, whose host was killed, until they have detached
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API void *mshare_attach(mshare_t r, void *addr, off_t off, size_t len, int prot,
			       unsigned int flags);

/*
 * mshare_detach - unmap one attachment, whole
 * @addr: as returned by one mshare_attach() of r.
 * @len:  as given to it. A part is EINVAL on every backend.
 *
 * Pending changes stay in the region. Returns 0; -1 on failure, and then it is still attached:
 *   EBADF   r is NULL, closed or not a handle
 *   EINVAL  addr and len are not exactly one attachment of r
 *   ENOMEM  the kernel had merged it with a neighbour and may not split them (vm.max_map_count)
 */
MSHARE_API int mshare_detach(mshare_t r, void *addr, size_t len);

/* mshare_flush() flags: exactly one */
#define MSHARE_FLUSH_DATA (1u << 0) /* write back to the file, onto stable storage */
#define MSHARE_FLUSH_TLB (1u << 1) /* drop all processes' shared translations (shim only) */
#define MSHARE_FLUSH_DISCARD (1u << 2) /* give the memory back; reads as zero afterwards */

/*
 * mshare_flush - write back, or discard, a part of a region, attached here or not
 * @r:     the region.
 * @off:   where it begins. DATA: anywhere. TLB, DISCARD: a multiple of the page size.
 * @len:   bytes; 0: to the end. DATA: any. TLB, DISCARD: up to the end, or a multiple of pages.
 * @flags: exactly one of the above.
 *
 * DATA covers what any process wrote before the call; on memory-only objects it has nothing to do.
 * It keeps many ranges in flight with io_uring(7), or uses msync(2) where that is missing or
 * forbidden; mshare_stat() tells. DISCARD is seen by every attached process when the call returns.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      unknown or several flags, off negative, a range off the page grid
 *   ENXIO       the range passes the present end of the region
 *   EACCES      DISCARD on a region opened read-only
 *   EPERM       DISCARD on a sealed memfd
 *   EOPNOTSUPP  no shared translations, or no holes in this file system; DISCARD: see mshare_map()
 *   EIO, ENOSPC, EDQUOT  from the device or file system; some data may not have been written
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 *   ENOMEM      no memory, or no room in the address space
 */
MSHARE_API int mshare_flush(mshare_t r, off_t off, size_t len, unsigned int flags);

/* mshare_stat.want: facts that cost time in proportion to processes or pages */
#define MSHARE_STAT_ATTACHERS (1ull << 0) /* reads maps of every process we may look at */
#define MSHARE_STAT_TABLES (1ull << 1) /* reads /proc/self/pagemap and smaps of the attachments */

/* mshare_stat.flags */
#define MSHARE_STAT_F_TRUNCATED (1u << 0) /* the file is shorter than it was, or than attached */
#define MSHARE_STAT_F_READ_ONLY (1u << 1) /* the handle cannot write */
#define MSHARE_STAT_F_SHARED_TABLES (1u << 2) /* processes share page tables */
#define MSHARE_STAT_F_HOST (1u << 3) /* an mshare-host serves this region */
#define MSHARE_STAT_F_IO_URING (1u << 4) /* last MSHARE_FLUSH_DATA, save, load used io_uring */
#define MSHARE_STAT_F_DIRECT (1u << 5) /* the last save or load went past the page cache */
#define MSHARE_STAT_F_PARTS (1u << 6) /* parts are of other objects: mshare_map() */
#define MSHARE_STAT_F_REGISTERED (1u << 7) /* the last save or load had all buffers registered */

struct mshare_stat {
	size_t size; /* in: sizeof(struct mshare_stat) */
	uint64_t want; /* in: MSHARE_STAT_ATTACHERS, MSHARE_STAT_TABLES */
	uint64_t valid; /* out: which of those were obtained */
	uint64_t region_size; /* bytes of the file now */
	uint64_t used; /* bytes of memory or storage allocated to it */
	uint64_t page_size; /* bytes one entry maps at best */
	uint64_t grid; /* offsets and given addresses are multiples of this */
	uint64_t alignment; /* addresses the kernel picks are multiples of this */
	uint64_t attachments; /* of this process through this handle */
	uint64_t flushes; /* mshare_flush() calls that succeeded through this handle */
	uint64_t attachers; /* processes that map the region (those this process may look at) */
	uint64_t table_bytes; /* PTE and PMD tables in use for this handle's attachments, this
				 process */
	uint64_t huge_bytes; /* of those attachments, mapped by huge pages */
	uint64_t faults; /* shim: faults served for all; others 0 */
	uint64_t links; /* shim: tables linked now; others 0 */
	uint32_t backend; /* enum mshare_backend obtained */
	uint32_t pages; /* enum mshare_pages obtained (THP: as far as filled ranges go) */
	uint32_t flags; /* MSHARE_STAT_F_* */
	int32_t host_pid; /* shim: the host process as seen from here; 0: none, or out of sight */
	char reason[256]; /* why a better backend was passed over; empty if none was */
};

/*
 * mshare_stat - what was really obtained
 * @r:  the region.
 * @st: size and want set by the caller, the rest filled in.
 *
 * Returns 0; -1 on failure:
 *   EBADF   r is NULL, closed or not a handle
 *   EINVAL  st NULL, st->size too small, unknown bits in want
 *   E2BIG   st->size above 4096
 *   ENOMEM  no memory
 */
MSHARE_API int mshare_stat(mshare_t r, struct mshare_stat *st);

/*
 * mshare_close - give the handle back
 * As close(2): attachments stay mapped until munmap(2), execve(2) or exit, and the region lives
 * until its last descriptor, mapping and name are gone. Returns 0; -1 on failure:
 *   EBADF  r is NULL, not a handle, or closed already
 */
MSHARE_API int mshare_close(mshare_t r);

/*
 * mshare_unlink - remove a name; who has the region keeps it
 * Returns 0; -1 on failure:
 *   EINVAL        NULL or a bad name, or that of a directory
 *   ENAMETOOLONG  the name is too long
 *   ENOENT        no such name
 *   EACCES, EPERM no right to remove it
 *   EMFILE, ENFILE, ENOMEM  no descriptor or memory is left to look for it
 */
MSHARE_API int mshare_unlink(const char *name);

/*
 * mshare_align - round a size up
 * @size:  bytes, more than 0.
 * @level: enum mshare_level.
 *
 * Returns the multiple; 0 on failure:
 *   EINVAL     size 0 or unknown level
 *   EOVERFLOW  the multiple does not fit a file offset
 */
MSHARE_API size_t mshare_align(size_t size, int level);

/* mshare_caps.features: tried, not guessed from versions */
#define MSHARE_CAP_THP_FAULT (1ull << 0) /* memfds get huge pages when first touched */
#define MSHARE_CAP_THP_COLLAPSE (1ull << 1) /* MADV_COLLAPSE makes huge pages of filled ranges */
#define MSHARE_CAP_HUGE_PMD (1ull << 2) /* at least one free hugetlb page of PMD size */
#define MSHARE_CAP_HUGE_PUD (1ull << 3) /* at least one free hugetlb page of PUD size */
#define MSHARE_CAP_HOST (1ull << 4) /* the helper mshare-host is installed and executable */
#define MSHARE_CAP_IO_URING (1ull << 5) /* io_uring may be used */
#define MSHARE_CAP_IPC_LOCK (1ull << 6) /* the process has CAP_IPC_LOCK */
#define MSHARE_CAP_SHM (1ull << 7) /* named regions can be made in /dev/shm */

struct mshare_backend_caps {
	uint64_t page_size; /* bytes; 0 when not available */
	int32_t error; /* 0: available to a new region; else the errno that says why not */
	uint32_t reserved;
	char reason[240]; /* why not, and the command that would change it; what it does if
			     available */
};

struct mshare_caps {
	size_t size; /* in: sizeof(struct mshare_caps) */
	uint64_t features; /* MSHARE_CAP_* */
	uint64_t base_size; /* bytes of a base page */
	uint64_t pmd_size; /* bytes covered by one PMD entry */
	uint64_t pud_size; /* bytes covered by one PUD entry */
	uint64_t memlock_limit; /* RLIMIT_MEMLOCK, bytes; UINT64_MAX: none, or CAP_IPC_LOCK */
	uint64_t shm_free; /* bytes free in /dev/shm; UINT64_MAX: no limit */
	struct mshare_backend_caps
		backend[MSHARE_BACKEND_COUNT]; /* indexed by enum mshare_backend */
};

/*
 * mshare_probe - what this machine can do for this process, and why not more
 * @caps: size set by the caller, the rest filled in.
 *
 * Kernel features are tried with the smallest input (once per process, a few ms, 2 MiB of memory
 * for that time); pools and limits are read anew each time. Returns 0; -1 on failure:
 *   EINVAL  caps NULL or caps->size too small
 *   E2BIG   caps->size above 4096
 *   EMFILE, ENFILE, ENOMEM  no descriptor, no memory is left to try things with
 */
MSHARE_API int mshare_probe(struct mshare_caps *caps);

/*
 * mshare_errmsg - a sentence about the last failure of a call of this library in this thread
 *
 * Never NULL; "" before the first failure. Valid until the next failing call in the same thread.
 */
MSHARE_API const char *mshare_errmsg(void);

#ifdef __cplusplus
}
#endif
#include "mshare/control.h"
#include "mshare/image.h"
#endif
