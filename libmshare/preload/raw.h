/* SPDX-License-Identifier: MIT */
/*
 * The kernel's calls, past the functions of the C library that this library stands in for. Results
 * or -errno; errno itself may change.
 */
#ifndef MSHARE_PRELOAD_RAW_H
#define MSHARE_PRELOAD_RAW_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/types.h>

#include "util.h"

struct map_call {
	void *addr;
	size_t len;
	int prot;
	int flags;
	int fd;
	off_t off;
};

must_check int raw_mmap(const struct map_call *call, void **out);
must_check int raw_munmap(void *addr, size_t len);
must_check int raw_mremap(void *addr, size_t old_len, size_t new_len, int flags, void *to,
			  void **out);
must_check int raw_mprotect(void *addr, size_t len, int prot);
must_check int raw_pkey_mprotect(void *addr, size_t len, int prot, int pkey);
must_check int raw_madvise(void *addr, size_t len, int advice);
must_check int raw_mlock(void *addr, size_t len);
must_check int raw_mlock2(void *addr, size_t len, unsigned int flags);
must_check int raw_munlock(void *addr, size_t len);

must_check int raw_shmget(key_t key, size_t size, int flags);
must_check int raw_shmat(int id, const void *addr, int flags, void **out);
must_check int raw_shmdt(const void *addr);
must_check int raw_shmctl(int id, int command, struct shmid_ds *ds);

/* All of it, to the end of a file; what could not be written is lost. While all signals are
 * blocked; leaves none behind. */
must_check int raw_append(const char *path, const char *text, size_t len);

/* Lets signals in at no place where a program waits for them (guard_in_handler()). */
void raw_sigmask(const sigset_t *to);

pid_t raw_getpid(void);

#endif
