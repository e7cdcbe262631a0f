/* SPDX-License-Identifier: MIT */
/* Calls that take effect in all attached processes at once; mshare.h includes this header. */
#ifndef LIBMSHARE_CONTROL_H
#define LIBMSHARE_CONTROL_H

#include "../mshare.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * mshare_protect - what all attached processes may do with a part of a region
 * @r:    the region, open for writing.
 * @off:  where it begins; a multiple of the base page size, with PROT_NONE of the grid
 *        (mshare_stat: grid).
 * @len:  bytes, a multiple of the same, or up to the end; 0 means to the end.
 * @prot: PROT_NONE, PROT_READ, or PROT_READ|PROT_WRITE: again what each attachment allows.
 *
 * When it returns, a forbidden access raises SIGSEGV in every attached process, and makes a system
 * call fail as any bad address does. Needs the kernel module: elsewhere nobody can change another
 * process's page tables. It binds attachments, those that are made later too, and is forgotten when
 * nobody is attached any more. Who attaches after the host process was killed is not bound by what
 * was said before; nor is who has the right to map the file by itself (mshare_fd()), or attaches
 * with another backend or without shared tables (mshare_stat: backend). A call that fails has
 * changed nothing, but for ETIMEDOUT and where the host process is killed meanwhile: then it may be
 * done in part, until everybody has attached anew.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      unknown prot, PROT_WRITE without PROT_READ, off negative, a range off the grid
 *   ENXIO       the range passes the present end of the region
 *   EACCES      the region is opened read-only
 *   EPERM       the memfd is sealed against writing
 *   EOPNOTSUPP  the backend is not shim, or no host process can be had
 *   ENOTCONN    nobody is attached
 *   EBUSY       it could not be enforced for everybody: a process has the region attached with
 *               another host's tables, as after the end of a host process, or with none
 *               (mshare_stat: reason), or maps the file by itself and may do more
 *   ETIMEDOUT   the host process did not answer within ten seconds; it may still do it
 *   ENOMEM      no memory, or too many parts with different rights (vm.max_map_count)
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_protect(mshare_t r, off_t off, size_t len, int prot);

/*
 * mshare_map - another object in place of a part of a region, for all attached processes
 * @r:      the region, open for writing.
 * @off:    where the part begins; a multiple of the grid (mshare_stat: grid).
 * @len:    bytes, a multiple of the grid, or up to the end; 0 means to the end.
 * @fd:     -1: anonymous memory, zero and new. Else a memfd, shared memory or a regular file, open
 *          for reading and writing; the caller keeps and closes its own descriptor. mshare_fd(r)
 *          with fd_off the same as off: again what is the region's own.
 * @fd_off: where in that object; a multiple of the base page size. 0 of anonymous memory.
 * @prot:   PROT_READ or PROT_READ|PROT_WRITE: as by mshare_protect(), which changes it later.
 *
 * When it returns, everybody who is attached sees the other object there, by the same page tables,
 * and writes go to it; so does who attaches later. What the region's own object has there is
 * unharmed. A file that is made shorter raises SIGBUS behind its end. Needs the kernel module:
 * elsewhere nobody can change another process's mappings. It lasts as long as somebody is attached.
 *
 * Descriptors of the region, and processes that map it by themselves or cannot reach the module, go
 * on seeing its own object. So do calls that work on that: with parts mshare_flush() of DISCARD,
 * mshare_lock(), mshare_mempolicy(), mshare_save(), mshare_load(), making it shorter, and advice
 * WILLNEED, POPULATE and COLLAPSE are refused with EOPNOTSUPP; MSHARE_FLUSH_DATA writes all objects
 * back. When the process that hosts the page tables is killed, who is attached keeps what there is,
 * but nobody can attach until all of them have detached. A call that fails has changed
 * nothing, but for ETIMEDOUT and where the host process is killed meanwhile: then one protection
 * may see the new object and another the old, until everybody has attached anew.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle; fd is not open, or with O_PATH
 *   EINVAL      prot is neither of the two, off or fd_off negative, a range off the grid, an object
 *               of size 0
 *   ENXIO       the range passes the present end of the region, or fd_off and len that of the
 *               object
 *   EOVERFLOW   fd_off and len do not fit a file offset
 *   EACCES      the region is opened read-only; fd is not open for reading and writing, or its file
 *               is append-only, or in use as swap space
 *   EPERM       one of the two memfds is sealed against writing
 *   ENODEV      fd is not a file that can be mapped shared
 *   EOPNOTSUPP  the backend is not shim, or no host process can be had; hugetlb pages, or a file
 *               without a page cache of its own
 *   ENOTCONN    nobody is attached
 *   EBUSY       not everybody would see it: a process has the region attached with another host's
 *               tables, as after the end of a host process, or with none, or maps that part of the
 *               region's object by itself, whatever the rights, as mshare_lock() does
 *   ETIMEDOUT   the host process did not answer within ten seconds; it may still do it
 *   ENOMEM      no memory, or too many parts (parts_per_region of the module, vm.max_map_count)
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_map(mshare_t r, off_t off, size_t len, int fd, off_t fd_off, int prot);

/* mshare_advise() advice */
enum mshare_advice {
	MSHARE_ADVICE_WILLNEED = 1, /* read in what is on disk or in swap, in the background */
	MSHARE_ADVICE_POPULATE = 2, /* allocate all pages, huge if the backend has them */
	MSHARE_ADVICE_COLLAPSE = 3, /* huge pages for each PMD-sized piece that holds anything */
	MSHARE_ADVICE_DISCARD = 4, /* as MSHARE_FLUSH_DISCARD */
	MSHARE_ADVICE_COLD = 5, /* the first to be reclaimed (shim) */
	MSHARE_ADVICE_PAGEOUT = 6, /* reclaim now: to swap; of files what is clean (shim) */
	MSHARE_ADVICE_HUGEPAGE = 7, /* huge pages when first touched, if the mount lets (shim) */
	MSHARE_ADVICE_NOHUGEPAGE = 8, /* base pages only (shim) */
	MSHARE_ADVICE_DONTDUMP = 9, /* left out of core dumps (shim) */
	MSHARE_ADVICE_DODUMP = 10, /* back again (shim) */
};

/*
 * mshare_advise - advice about a part of a region, with the same effect for all
 * @r:      the region.
 * @off:    where it begins; a multiple of the page size, with COLLAPSE, DONTDUMP and DODUMP of PMD
 *          size.
 * @len:    bytes, a multiple of the same, or up to the end; 0 means to the end.
 * @advice: enum mshare_advice.
 *
 * What is about the memory works on every backend, attached here or not. What is about page
 * tables is done by the process that hosts them, and refused where there is none: it would reach
 * one process only, for which there is madvise(2). POPULATE and COLLAPSE take time in proportion to
 * len. The kernel may not follow advice: without swap, PAGEOUT leaves memory where it is, and COLD
 * and PAGEOUT pass over pages that a process has mapped by itself too.
 * HUGEPAGE, NOHUGEPAGE and DONTDUMP are forgotten when nobody is attached any more.
 *
 * Returns 0; -1 on failure, and then it may be done in part:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      unknown advice, off negative, a range off the grid
 *   ENXIO       the range passes the present end of the region
 *   EACCES      DISCARD, COLD, PAGEOUT, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP on a region opened
 *               read-only
 *   EPERM       the same on a sealed memfd
 *   EOPNOTSUPP  it would reach one process only, no host process can be had, or the kernel or file
 *               system cannot do it; DISCARD, WILLNEED, POPULATE, COLLAPSE: see mshare_map()
 *   EBUSY       COLLAPSE: pages are in use at this moment, not all became huge
 *   ETIMEDOUT   the host process did not answer within ten seconds
 *   ENOMEM      no memory, no free huge pages, or a limit of a cgroup
 *   EIO, ENOSPC, EDQUOT  from the device or file system
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_advise(mshare_t r, off_t off, size_t len, int advice);

/*
 * mshare_lock - keep a part of a region in memory, for everybody
 * @r:   the region.
 * @off: where it begins; a multiple of the page size.
 * @len: bytes, a multiple of the same, or up to the end; 0 means to the end.
 *
 * Brings all its pages in and keeps the kernel from reclaiming them, whoever uses them: by a locked
 * mapping that the library holds in this process, which takes page tables there. It lasts until
 * mshare_unlock() of the same range, mshare_close(), execve(2) or the end of this process, and is
 * not inherited by fork(2). Ranges may overlap, or be the same; each counts.
 *
 * Returns 0; -1 on failure:
 *   EBADF   r is NULL, closed or not a handle
 *   EINVAL  off negative, a range off the grid
 *   ENXIO   the range passes the present end of the region
 *   EPERM   RLIMIT_MEMLOCK is 0, without CAP_IPC_LOCK
 *   ENOMEM  RLIMIT_MEMLOCK allows less, without CAP_IPC_LOCK; no memory or huge pages for all of
 *           it; no room in the address space
 *   EOPNOTSUPP  parts of the region are of other objects (mshare_map)
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_lock(mshare_t r, off_t off, size_t len);

/*
 * mshare_unlock - take one mshare_lock() back
 * @off, @len: as given to it, through this handle and in this process. len 0: to the present end.
 *
 * Returns 0; -1 on failure:
 *   EBADF   r is NULL, closed or not a handle
 *   EINVAL  that range was not locked; or len is 0 and off is negative or off the grid
 *   ENXIO   len is 0 and off passes the present end of the region
 */
MSHARE_API int mshare_unlock(mshare_t r, off_t off, size_t len);

/*
 * mshare_mempolicy - on which NUMA nodes a part of a region is allocated, whoever touches it first
 * @r:     the region, open for writing: a memfd or POSIX shared memory.
 * @off:   where it begins; a multiple of the page size.
 * @len:   bytes, a multiple of the same, or up to the end; 0 means to the end.
 * @mode:  as for mbind(2): MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, MPOL_LOCAL, MPOL_DEFAULT
 *         (none of its own again), with its flags.
 * @nodes: a bit for each node, as for mbind(2).
 * @max:   the number of bits, as for mbind(2).
 *
 * For pages that are allocated from now on, by any process, for the life of the object. Pages that
 * are there already stay where they are.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      off negative, a range off the grid, unknown mode, nodes that do not exist or are
 *               not allowed to this process
 *   ENXIO       the range passes the present end of the region
 *   EACCES      the region is opened read-only
 *   EOPNOTSUPP  hugetlb pages and regular files have no policy that all share; no NUMA; parts of
 *               the region are of other objects (mshare_map)
 *   EPERM       a sandbox forbids mbind(2)
 *   ENOMEM      no memory
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_mempolicy(mshare_t r, off_t off, size_t len, int mode,
				const unsigned long *nodes, unsigned long max);

/*
 * mshare_resize - make a region longer or shorter while it is used
 * @r:    the region, open for writing.
 * @size: bytes, more than 0. Rounded up to the grid (mshare_stat: grid), of hugetlb regions to the
 *        page size, of regular files not at all.
 *
 * Everybody learns the size by mshare_stat(). Attachments keep their addresses and lengths; what is
 * new reads as zero and can be attached by all, with MSHARE_SAME_ADDR behind what was there. Huge
 * pages for it are reserved before it can be touched. What is cut off is lost, and touching it
 * raises SIGBUS in every process, until the region is made longer again. Of calls at the same time
 * the last one decides, also about what another has just added.
 *
 * Returns 0; -1 on failure, and then the size is what it was:
 *   EBADF      r is NULL, closed or not a handle
 *   EINVAL     size 0
 *   EOVERFLOW  size does not fit a file offset, or exceeds RLIMIT_FSIZE
 *   EACCES     the region is opened read-only
 *   EPERM      the memfd is sealed against growing or shrinking
 *   ENOSPC     shared memory: the file system holds less (see MSHARE_NORESERVE); a quota is full
 *   ENOMEM     no free huge pages, or no memory
 *   EOPNOTSUPP  shorter, while parts of the region are of other objects (mshare_map)
 *   EIO        from the device
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_resize(mshare_t r, size_t size);

/*
 * mshare_revoke - end a region for everybody
 * @r: the region, open for writing; not a regular file.
 *
 * Its memory is given back at once, and touching it raises SIGBUS in every process that has it
 * attached or mapped. Handles and names stay, of a region of size 0: nothing can be attached. For
 * processes that are to live on, tell them before. Of what mshare_map() has put into it nothing is
 * attached any more.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle
 *   EACCES      the region is opened read-only
 *   EPERM       the memfd is sealed against shrinking
 *   EOPNOTSUPP  a regular file: its contents would be lost
 *   EBUSY, ETIMEDOUT  the process that hosts the page tables has ended or does not answer, and
 *               attached processes would keep what mshare_map() has put into the region
 *   ENOMEM      no memory
 *   EMFILE, ENFILE  no descriptor is left to reach the kernel module
 */
MSHARE_API int mshare_revoke(mshare_t r);

/*
 * mshare_handover - whose control group pays for a region, and can end its host process
 * @r:   the region, open for writing.
 * @pid: a process; its control group, as it is now, is what counts. 0: this process.
 *
 * With the shim backend, pages that anybody touches first are charged to the host process, and
 * who stops its control group ends it (who is attached then goes on: mshare-host(8)). It is in the
 * group of the process that attached first; this call moves it to that of pid. Pages that exist
 * stay charged where they are. Pages of regular files are charged to who touches them, as ever.
 * Where no host process lives, one is started for those who attach from now on. It is forgotten
 * when nobody is attached any more, as the host process leaves then. Needs control groups of
 * version 2.
 *
 * The host process is moved by this one, so that the kernel's rules hold for it: see cgroups(7).
 * Where nobody uses the shim backend, each page is charged to whoever touches it first.
 *
 * Returns 0; -1 on failure, and then the host process is where it was:
 *   EBADF       r is NULL, closed or not a handle
 *   EINVAL      pid is negative
 *   EACCES      the region is opened read-only; no right to write to cgroup.procs of the group, or
 *               of the nearest one around it and the host's; the host's is outside of this
 *               process's cgroup namespace
 *   EPERM       the host process may not be moved: by a security module, or as the group has no
 *               processor to run on
 *   ESRCH       no such process; or it has ended, and its group is removed
 *   EBUSY       pid has ended, and its group has controllers for groups of its own since
 *   EOPNOTSUPP  nobody uses the shim backend, or no host process can be had or seen; the memory
 *               controller belongs to control groups of version 1; the group is not visible in
 *               this mount namespace; its cgroup.type is invalid
 *   ENOMEM      no memory
 *   EMFILE, ENFILE  no descriptor is left
 */
MSHARE_API int mshare_handover(mshare_t r, pid_t pid);

#ifdef __cplusplus
}
#endif
#endif
