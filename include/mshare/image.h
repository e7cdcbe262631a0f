/* SPDX-License-Identifier: MIT */
/* Saving and loading regions. A part of mshare.h, whose conventions hold, and which includes it. */
#ifndef LIBMSHARE_IMAGE_H
#define LIBMSHARE_IMAGE_H

#include "../mshare.h"

#ifdef __cplusplus
extern "C" {
#endif

/* mshare_image_attr.flags */
#define MSHARE_IMAGE_CACHED (1ull << 0) /* read or write through the page cache */
#define MSHARE_IMAGE_CHECK (1ull << 1) /* load: verify the file, change nothing */

/*
 * Called from time to time by mshare_save() and mshare_load(), in the thread that called them, with
 * no lock held: done of total bytes. The last call has done == total. While mshare_save() looks for
 * contents, done is 0 and total the size of the region; from then on total is what is to be saved.
 * Any answer but 0 stops the call, which then fails with ECANCELED.
 */
typedef int mshare_progress_t(void *arg, uint64_t done, uint64_t total);

/* How a region is saved or loaded. NULL means all defaults. */
struct mshare_image_attr {
	size_t size; /* sizeof(struct mshare_image_attr) */
	uint64_t flags; /* MSHARE_IMAGE_CACHED; load: MSHARE_IMAGE_CHECK */
	uint32_t depth; /* chunks of 2 MiB in flight, each with a buffer; 0 means 8; at most 64 */
	uint32_t mode; /* save: permission bits of the file, less the umask; 0 means 0600 */
	mshare_progress_t *progress; /* or NULL */
	void *arg; /* for progress */
};
/* clang-format off */
#define MSHARE_IMAGE_ATTR_INIT { sizeof(struct mshare_image_attr), 0, 0, 0, NULL, NULL }
/* clang-format on */

/*
 * mshare_save - write the contents of a region to an image file, mshare-image(5)
 * @r:     the region, attached here or not.
 * @dirfd: a directory that a relative path starts from, or AT_FDCWD, as for openat(2).
 * @path:  the file. An existing regular file is replaced, with new ownership and permissions.
 * @attr:  how, or NULL.
 *
 * The path is that of the old file, or of nothing, until the new one is complete and on stable
 * storage; a descriptor alone could not promise that. A process that dies on the way leaves no
 * trace, but for the moment before the rename; where the file system has no O_TMPFILE it may leave
 * a file named .mshare-save- and 16 digits at any time. Pages that are zero take no space. What
 * others store into the region meanwhile may be in the file or not, page by page: who needs one
 * moment in time stops them. The file verifies in any case.
 *
 * Chunks of 2 MiB are copied, summed up (CRC-32C) and written past the page cache with io_uring(7);
 * where O_DIRECT, io_uring or registered buffers (RLIMIT_MEMLOCK) cannot be had, without.
 * mshare_stat() tells (MSHARE_STAT_F_IO_URING, MSHARE_STAT_F_DIRECT, MSHARE_STAT_F_REGISTERED).
 *
 * Returns 0; -1 on failure, with the old file as it was:
 *   EBADF       r is NULL, closed or not a handle; dirfd is not a descriptor
 *   EINVAL      path NULL, empty or ending in a slash, "." or ".."; it exists and is no file, or is
 *               the file of r itself; bad attr
 *   E2BIG       attr has non-zero bytes beyond what this library knows, or more than 4096
 *   ENXIO       the region has been truncated to nothing
 *   EOPNOTSUPP  parts of the region are of other objects (mshare_map)
 *   ENOENT, ENOTDIR, ENAMETOOLONG  there is no such directory, or can be no such file
 *   EISDIR, ELOOP  path is a directory; a symbolic link
 *   EACCES, EPERM, EROFS  no right to make files there; EACCES: r has O_DIRECT set, and its file
 *               cannot be opened again without
 *   EEXIST      each of several random names is taken
 *   EFBIG       the file would exceed RLIMIT_FSIZE, or what the file system allows
 *   ENOSPC, EDQUOT, EIO  from the device or file system. After a sentence that says so, the new
 *               file is in place, but its directory could not be made durable
 *   ECANCELED   the progress function said so
 *   EMFILE, ENFILE  the process or the system may have no more open files
 *   ENOMEM      no memory
 */
MSHARE_API int mshare_save(mshare_t r, int dirfd, const char *path,
			   const struct mshare_image_attr *attr);

/*
 * mshare_load - replace the contents of a region by those of an image file
 * @r:     the region, open for writing. Every process that has it attached sees the new contents.
 * @dirfd: as for mshare_save().
 * @path:  the file; a symbolic link is followed. One that is only a descriptor: "/proc/self/fd/N".
 * @attr:  how, or NULL. With MSHARE_IMAGE_CHECK the region is not changed, and may be read-only.
 *
 * Afterwards the region reads as the saved one did, and as zero behind its end. Holes become holes.
 * A file that is torn, cut off, foreign or changed in a single bit is refused, with a sentence that
 * names the chunk, and the region is as it was. For that a region that has contents costs two
 * readings of the file; one that has none (new, or discarded) is filled in one, and emptied again
 * on failure. Nobody else may use the region meanwhile.
 *
 * Once a region with contents begins to change, progress is told but not asked, and an error of the
 * device or a lack of memory leaves a part of the new contents: the sentence says so. A process
 * that dies on the way does, too. mshare_flush() makes what was loaded durable in a regular file.
 *
 * Returns 0; -1 on failure:
 *   EBADF       r is NULL, closed or not a handle; dirfd is not a descriptor
 *   EINVAL      path NULL or empty, or not a regular file; bad attr
 *   E2BIG       as for mshare_save()
 *   EBADMSG     the file is not an image, or it is damaged or cut off
 *   EOPNOTSUPP  an image of a version that this library does not know; parts of the region are of
 *               other objects (mshare_map)
 *   ENXIO       the image has a chunk (2 MiB) with contents that passes the end of the region; the
 *               region is empty
 *   EACCES      the region was opened read-only; no right to read the file; r has O_APPEND or
 *               O_DIRECT set, and its file cannot be opened again without
 *   EPERM       the region is a memfd sealed against writing
 *   ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP  there is, or can be, no such file
 *   EFBIG       the region is longer than RLIMIT_FSIZE
 *   ENOSPC, EDQUOT, EIO  from the device or file system
 *   ECANCELED   the progress function said so
 *   EMFILE, ENFILE  the process or the system may have no more open files
 *   ENOMEM      no memory, or huge pages of the region are neither reserved nor free (SIGBUS where
 *               a sandbox forbids process_vm_writev(2))
 */
MSHARE_API int mshare_load(mshare_t r, int dirfd, const char *path,
			   const struct mshare_image_attr *attr);

#ifdef __cplusplus
}
#endif
#endif
