/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * The interface between libmshare and the mshare kernel module: one entry, few operations, in the
 * manner of prctl(2). Today they travel as ioctl(2) on /dev/mshare, one command an operation.
 *
 * Rules. Every operation passes a struct whose first field is its size as the caller knows it. A
 * size below the first released one is EINVAL, non-zero bytes beyond what the kernel knows are
 * E2BIG, bytes the caller does not have read as zero. Unknown flags and non-zero reserved fields
 * are EINVAL, pointers that cannot be read or written EFAULT. There is no version number: what can
 * be done is in the feature mask of MSHARE_CTL_QUERY, and new meaning gets a new operation. 64-bit
 * callers only: others get ENOTTY.
 *
 * In a Xen PV guest, whose page tables are the hypervisor's, the module does not load (ENODEV).
 *
 * Words. The *host* of a backing file is the process whose page tables are shared: it maps the file
 * with mmap(2) and registers that range. A *view* is what it registered: (file, protection, host
 * user) -> range of its address space. A *part* is a range of it that is of another file. A *link*
 * is one attached mapping of a view in some process. A *slot* is what one link step covers: a PMD
 * entry, 2 MiB on x86-64.
 */
#ifndef _MSHARE_ABI_H
#define _MSHARE_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Protection of a view. */
#define MSHARE_VIEW_READ (1u << 0)
#define MSHARE_VIEW_WRITE (1u << 1)

/* mshare_ctl_query.features */
#define MSHARE_FEATURE_PTE_TABLES (1ull << 0) /* PTE tables are shared */
#define MSHARE_FEATURE_READ_VIEWS (1ull << 1) /* read-only views with tables of their own */
#define MSHARE_FEATURE_REQUESTS (1ull << 2) /* hosts can be asked: MSHARE_CTL_ASK */
#define MSHARE_FEATURE_PARTS (1ull << 3) /* MSHARE_ASK_MAP, and MSHARE_CTL_PART for hosts */
#define MSHARE_FEATURE_DONTDUMP (1ull << 4) /* MADV_DONTDUMP of a host holds for all */

/*
 * MSHARE_CTL_QUERY - what this kernel does, and the state of the view of a file
 *
 * fd -1 asks for the features and the slot size only. Else the statistics are of the view that this
 * caller would attach to, and of those that it has replaced.
 *   EBADF   fd is not an open descriptor of a regular file
 *   EACCES  fd is not open for reading, or for writing where prot has MSHARE_VIEW_WRITE, or the
 *           file is for appending only
 *   EPERM   MSHARE_VIEW_WRITE on a file sealed against writing
 *   ETXTBSY MSHARE_VIEW_WRITE on a file that is in use as swap space
 *   EOPNOTSUPP  secret memory, DAX, hugetlb, or a file without a page cache of its own
 *   EINVAL  prot is no protection of a view
 *   ENOENT  nobody this caller trusts hosts the file with this protection
 *   EOWNERDEAD  a host this caller trusts has ended, processes are still attached to it, and parts
 *           of what they see are of other files, which nobody else knows
 */
struct mshare_ctl_query {
	__u32 size;
	__u32 flags; /* must be 0 */
	__s32 fd; /* in: the backing file, or -1 */
	__u32 prot; /* in: MSHARE_VIEW_* */
	__u64 features; /* out: MSHARE_FEATURE_* */
	__u64 slot_size; /* out: bytes */
	__u64 links; /* out: attached mappings now */
	__u64 tables; /* out: tables shared now, each kept once */
	__u64 entries; /* out: entries that point to them, in all processes */
	__u64 faults; /* out: faults of attached processes served so far */
	__u64 invalidations; /* out: invalidations that met a linked slot */
	__u64 flushes; /* out: IPI rounds sent for them */
	__u64 parts; /* out: ranges that are of other files now, or are about to be */
	__s32 host; /* out: process ID as the caller sees it; 0: not visible, or gone */
	__u32 reserved; /* must be 0 */
};

/* mshare_ctl_create.flags */
#define MSHARE_CREATE_REPLACE (1u << 0) /* in place of the caller's own view of the file */

/*
 * MSHARE_CTL_CREATE - makes the caller's address space the host of a range
 *
 * [addr, addr + len) is one shared mapping of fd with this protection; both, and the file offset
 * behind addr, are multiples of the slot size. The view takes no new attachments once the device
 * descriptor it was made through is closed; who is attached then stays attached. fd is open for
 * reading and writing, whatever prot is: the kernel treats other mappings as private ones when it
 * is out of memory. With MSHARE_CREATE_REPLACE a view that was made through the same device
 * descriptor takes no new attachments from then on, this one does; and pieces of the range may
 * allow less than prot, for all who attach. Parts are those of the views that this descriptor has
 * of the file already, and are mapped here as they are there.
 *   EINVAL  not such a mapping, off the grid, hugetlb or device memory, or userfaultfd watches it
 *   EEXIST  the file has a host with this protection and the same user already; or one this caller
 *           trusts, with parts
 *   EOWNERDEAD  as for QUERY
 *   EBUSY   the caller is attached to a region itself
 *   EUSERS  the user hosts as many views as the module parameter views_per_user allows, or as large
 *           ones as gib_per_user does
 *   EACCES  as for QUERY, or fd is not open for writing
 *   EBADF, EPERM, ETXTBSY, EOPNOTSUPP as for QUERY; EINTR; ENOMEM
 */
struct mshare_ctl_create {
	__u32 size;
	__u32 flags; /* MSHARE_CREATE_REPLACE */
	__s32 fd;
	__u32 prot; /* MSHARE_VIEW_READ, or with MSHARE_VIEW_WRITE */
	__u64 addr;
	__u64 len;
};

/*
 * MSHARE_CTL_ATTACH - a descriptor of the view, to be mapped with mmap(2); close-on-exec
 *
 * mmap(2) of it wants MAP_SHARED; an address, offset and length that are multiples of the slot
 * size (EINVAL); a range inside the view (ENXIO); and exactly the view's protection (EACCES). The
 * offset is that of the backing file. The mapping stays one piece: mprotect(2) is EACCES, mremap(2)
 * and everything that would split it fail. Nothing is granted that mmap(2) of fd would not grant.
 *   ENOENT  nobody this caller trusts (its own user, the file's owner, root) hosts the file; from
 *           mmap(2): the host is gone
 *   EBUSY   from mmap(2): the caller hosts a view itself
 *   EUSERS  from mmap(2): the view has as many links as links_per_view allows
 *   EINTR   from mmap(2): a signal, the first time that a process maps one
 *   EACCES, EPERM, ETXTBSY also from mmap(2): the file has been sealed, or the like, since
 *   EBADF, EACCES, EPERM, EINVAL, ETXTBSY, EOPNOTSUPP, EOWNERDEAD as for QUERY; EMFILE, ENFILE,
 *           ENOMEM
 */
struct mshare_ctl_attach {
	__u32 size;
	__u32 flags; /* must be 0 */
	__s32 fd;
	__u32 prot;
};

/*
 * MSHARE_CTL_DETACH - unmaps one attached mapping, whole
 *   EINVAL  [addr, addr + len) is not exactly one attached mapping of the caller
 *   EINTR   a signal
 */
struct mshare_ctl_detach {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 addr;
	__u64 len;
};

/*
 * MSHARE_CTL_FLUSH - drops all links of a range of the view, and every translation made by them
 *
 * Also of the views that it has replaced. off is of the file. Processes link again when they touch
 * it.
 *   EINVAL  off or len is not a multiple of the slot size, len is 0, or the range is not inside
 *           the view
 *   EPERM   neither is the caller root or the user who hosts the view, nor fd open for writing
 *   ENOENT, EBADF, EACCES, EPERM, ETXTBSY, EOPNOTSUPP, EOWNERDEAD as for QUERY
 */
struct mshare_ctl_flush {
	__u32 size;
	__u32 flags; /* must be 0 */
	__s32 fd;
	__u32 prot;
	__u64 off;
	__u64 len;
};

/*
 * MSHARE_CTL_WAIT - for a host: sleeps until no view made through this device descriptor has a
 * link or an attach descriptor, and none has come for linger_ms
 *   EINTR   a signal
 *   EINVAL  no view was made through this descriptor
 */
struct mshare_ctl_wait {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u32 linger_ms;
	__u32 reserved; /* must be 0 */
};

/* mshare_ctl_ask.operation. What is not known to a host it answers with EOPNOTSUPP. */
#define MSHARE_ASK_PROTECT 1 /* argument: MSHARE_VIEW_*, or 0 for no access */
#define MSHARE_ASK_ADVISE 2 /* argument: as for madvise(2) */
#define MSHARE_ASK_GROW 3 /* map more of a file that has grown; off and len: what is needed */
#define MSHARE_ASK_MAP 4 /* map_fd at map_off in place of the range; argument: MSHARE_VIEW_* */

/*
 * MSHARE_CTL_ASK - asks the host of a file to do something to its range, for all who are attached
 *
 * Of the host that ATTACH with this fd and prot would find. off and len are of the file. Returns
 * what the host answers. PROTECT is for everybody or nobody: it is refused when the host cannot
 * reach all who have the file mapped. So is MAP, after which the range of the region is of another
 * file, or at another offset, for all who are attached and who attach later, until the host has
 * ended and nobody is attached to it any more. map_fd is a file that could be hosted itself, open
 * for reading and writing; off, len and map_off are multiples of the page size. The file of fd at
 * map_off == off makes the range what it was, which is refused only where the host is gone.
 *   EPERM    PROTECT, ADVISE and MAP: fd is not open for writing. MAP: map_fd is sealed
 *   EBUSY    PROTECT, MAP: there are attachments to another host, or to one that is gone; or a
 *            mapping of the file itself, by a process that is no host of it, that allows in the
 *            range what is to be forbidden, for MAP whatever it allows
 *   ENOTCONN PROTECT, MAP: nobody is attached
 *   EUSERS   MAP: the region would have more parts than parts_per_region allows
 *   EPIPE    the host has ended before it answered
 *   ETIMEDOUT it has not answered in time; it may still do what was asked if it had begun
 *   EINVAL   operation 0, len 0, or off + len overflows. MAP: off the pages, map_off + len
 *            overflows, or argument is no protection of a view. Others: map_fd or map_off is not 0
 *   ENOENT, EBADF, EACCES, EPERM, ETXTBSY, EOPNOTSUPP, EOWNERDEAD as for QUERY, MAP for map_fd
 *            too; EINTR: killed
 */
struct mshare_ctl_ask {
	__u32 size;
	__u32 flags; /* must be 0 */
	__s32 fd;
	__u32 prot;
	__u32 operation; /* MSHARE_ASK_* */
	__u32 argument;
	__u64 off;
	__u64 len;
	__u32 timeout_ms;
	__s32 map_fd; /* MAP, else 0 */
	__u64 map_off; /* MAP, else 0 */
};

/*
 * MSHARE_CTL_NEXT - for a host: sleeps until somebody asks; or, as WAIT, until nobody is left
 *   EINTR   a signal
 *   EINVAL  no view was made through this descriptor
 */
struct mshare_ctl_next {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u32 linger_ms; /* in */
	__u32 operation; /* out: MSHARE_ASK_*; 0: no view has been used for linger_ms */
	__u32 argument; /* out */
	__u32 reserved; /* must be 0 */
	__u64 off; /* out */
	__u64 len; /* out */
	__u64 id; /* out: for ANSWER, and PART */
	__u64 map_off; /* out: MAP */
};

/*
 * MSHARE_CTL_PART - for a host that was asked for MAP: a new descriptor of what it is to map there,
 * close-on-exec, open for reading and writing
 *
 * From then on the range may be mapped as it was or as it is to be; after ANSWER only the one or
 * the other, by its error. What is mapped otherwise raises SIGBUS in attached processes.
 *   ENOENT  no MAP with this id has been taken with NEXT, or who asked has stopped waiting
 *   EBUSY   as for MAP, by now; or another MAP has not been answered
 *   EUSERS  as for MAP
 *   EMFILE, ENFILE, ENOMEM; what a security module says to receiving the descriptor
 */
struct mshare_ctl_part {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 id;
};

/*
 * MSHARE_CTL_ANSWER - for a host: what became of it
 *   ENOENT  who asked has stopped waiting
 *   EINVAL  error is neither 0 nor a negative error number
 */
struct mshare_ctl_answer {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 id;
	__s32 error; /* 0 or -errno */
	__u32 reserved; /* must be 0 */
};

#define MSHARE_CTL_MAGIC 0xB7
#define MSHARE_CTL_QUERY _IOWR(MSHARE_CTL_MAGIC, 0, struct mshare_ctl_query)
#define MSHARE_CTL_CREATE _IOW(MSHARE_CTL_MAGIC, 1, struct mshare_ctl_create)
#define MSHARE_CTL_ATTACH _IOW(MSHARE_CTL_MAGIC, 2, struct mshare_ctl_attach)
#define MSHARE_CTL_DETACH _IOW(MSHARE_CTL_MAGIC, 3, struct mshare_ctl_detach)
#define MSHARE_CTL_FLUSH _IOW(MSHARE_CTL_MAGIC, 4, struct mshare_ctl_flush)
#define MSHARE_CTL_WAIT _IOW(MSHARE_CTL_MAGIC, 5, struct mshare_ctl_wait)
#define MSHARE_CTL_ASK _IOW(MSHARE_CTL_MAGIC, 6, struct mshare_ctl_ask)
#define MSHARE_CTL_NEXT _IOWR(MSHARE_CTL_MAGIC, 7, struct mshare_ctl_next)
#define MSHARE_CTL_ANSWER _IOW(MSHARE_CTL_MAGIC, 8, struct mshare_ctl_answer)
#define MSHARE_CTL_PART _IOW(MSHARE_CTL_MAGIC, 9, struct mshare_ctl_part)

#endif
