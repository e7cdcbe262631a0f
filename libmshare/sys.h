/* SPDX-License-Identifier: MIT */
/*
 * System calls, and the only place that sees errno. Each call returns its result, 0, or -errno.
 * Interrupted calls are repeated here. Unit tests replace sys.c (tests/unit/mock-sys.c), and not
 * sys-image.c, which has those of image files.
 */
#ifndef MSHARE_SYS_H
#define MSHARE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The public boundary: sets errno for a negative err; returns -1. */
int sys_fail(int err);
int sys_errno(void);
void sys_set_errno(int value);

/* Files. Every descriptor made here is close-on-exec, and none is one of the standard ones. */
int sys_open(const char *path, int flags, mode_t mode);
int sys_memfd_create(const char *name, unsigned int flags);
int sys_dup(int fd);
int sys_dup_above(int fd, int lowest);
int sys_close(int fd);
int sys_fstat(int fd, struct stat *st);
int sys_stat(const char *path, struct stat *st); /* does not follow a last symbolic link */
int sys_fs_type(int fd, uint64_t *type); /* statfs f_type */
int sys_fs_space(const char *path, uint64_t *total,
		 uint64_t *free_bytes); /* UINT64_MAX: unlimited */
int sys_ftruncate(int fd, off_t size); /* to a larger size; -EFBIG without SIGXFSZ */
int sys_fchmod(int fd, mode_t mode);
int sys_punch_hole(int fd, off_t off, off_t len);
int sys_link_fd(int fd, const char *path); /* gives an O_TMPFILE descriptor its name */
int sys_unlink(const char *path);
int sys_access_exec(const char *path);
int sys_open_mode(int fd); /* O_RDONLY, O_RDWR or O_WRONLY */
int sys_seals(int fd); /* F_SEAL_*; -EINVAL for files without seals */
int sys_fdatasync(int fd);
int sys_ioctl(int fd, unsigned long command, void *argument);

/* A pipe, close-on-exec, and a byte from it: 1, 0 at its end, -ETIMEDOUT. */
int sys_pipe(int ends[2]);
int sys_write_byte(int fd, char byte); /* 0 or -errno */
int sys_read_byte(int fd, char *byte, int timeout_ms);

ssize_t sys_read_file(const char *path, char *buf,
		      size_t size); /* whole, NUL-terminated; bytes read */
ssize_t sys_pread(int fd, void *buf, size_t len, off_t off);
off_t sys_seek_data(int fd, off_t off); /* next data at or after off; -ENXIO: none */

/* Image files. dir is a descriptor of a directory, or AT_FDCWD. */
int sys_openat(int dir, const char *path, int flags, mode_t mode);
int sys_reopen(int fd, int flags); /* the same file, with an offset and flags of its own */
int sys_statat(int dir, const char *name, struct stat *st); /* of a last symbolic link itself */
int sys_link_fd_at(int fd, int dir, const char *name);
int sys_renameat(int dir, const char *from, const char *to);
int sys_unlinkat(int dir, const char *name);
ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t off); /* -EFBIG without SIGXFSZ */
/* Space, and size; -EFBIG without SIGXFSZ. -EINTR: not repeated, since tmpfs begins anew each time
 * and would not end under signals that come faster. */
int sys_allocate(int fd, off_t off, off_t len);
uint64_t sys_file_limit(void); /* RLIMIT_FSIZE; UINT64_MAX: none */
off_t sys_seek_hole(int fd, off_t off); /* -ENXIO: off is not below the end */
int sys_fsync(int fd);
int sys_syncfs(int fd); /* the whole file system */
int sys_status_flags(int fd); /* O_APPEND, O_DIRECT and so on */
/* With O_DIRECT or without, and without O_NONBLOCK. -EINVAL: the file system has none. */
int sys_set_direct(int fd, bool direct);
bool sys_is_direct(int fd);
int sys_random(uint64_t *value);

/* memcpy() into a mapping, with -EFAULT where the process itself would get SIGBUS. Bytes or -errno.
 */
ssize_t sys_store(void *addr, const void *buf, size_t len);

/* Open-file-description locks of one byte. */
int sys_ofd_lock(int fd, bool exclusive, off_t byte); /* -EAGAIN: somebody else has it */
int sys_ofd_unlock(int fd, off_t byte);
int sys_ofd_test(int fd, off_t byte); /* 1: another description holds a lock there, 0: none */

/* Memory. */
int sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off, void **out);
int sys_munmap(void *addr, size_t len);
int sys_madvise(void *addr, size_t len, int advice);
int sys_mincore(void *addr, size_t len, unsigned char *vec);
int sys_msync(void *addr, size_t len);

/* Region-wide control (sys-control.c). */
int sys_mprotect(void *addr, size_t len, int prot);
int sys_mlock(void *addr, size_t len);
/* The same pages at another address too (to: exactly there), as far as one mapping goes. */
int sys_mremap_copy(void *from, size_t len, void *to, void **out);
int sys_mremap_to(void *from, size_t len, void *to); /* moves it over what is there */
int sys_mbind(void *addr, size_t len, int mode, const unsigned long *nodes, unsigned long maxnode);
int sys_set_mempolicy_local(void);
int sys_seal(int fd, int seals);
int sys_shrink(int fd, off_t size); /* ftruncate(2) to a size that is not larger */
int sys_readahead(int fd, off_t off, off_t len);
int sys_pidfd_open(pid_t pid);
bool sys_pidfd_ended(int fd);
int sys_write_text(int fd, const char *text,
		   size_t len); /* to a file of the kernel, in one piece */

/* The process. */
uint64_t sys_page_size(void);
int64_t sys_seconds(void); /* monotonic, never 0 */
uint64_t sys_memlock_limit(void); /* UINT64_MAX: none */
const char *sys_getenv(const char *name); /* NULL in a set-user-ID program */

/*
 * Calls run(arg) in a process of its own that shares this one's memory, and returns when that is
 * gone: 0 or -errno. What run() starts is an orphan. The application cannot see it: no SIGCHLD,
 * nothing for its wait(2), no signal handler running meanwhile. run() must not allocate memory or
 * take locks, and must return.
 */
int sys_run_apart(int (*run)(void *), void *arg);

/* The result of a call in another library that sets errno: itself, or -errno instead of -1. */
long sys_result(long result);

#endif
