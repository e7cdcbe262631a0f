/* SPDX-License-Identifier: MIT */
/* What the kernel says about this process, read from /proc/self. */
#ifndef TEST_PROC_H
#define TEST_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct proc_mapping {
	uintptr_t start;
	uintptr_t end;
	char perms[5];
	uint64_t off;
	dev_t dev; /* inode numbers repeat: a small system's libraries have those of memfds */
	ino_t ino;
};

/* The mapping that holds addr; false if there is none. */
bool proc_mapping_at(const void *addr, struct proc_mapping *m);

/* Whether anything is mapped in [addr, addr+len). */
bool proc_mapped(const void *addr, size_t len);

/* Mappings of one file, by any name. */
size_t proc_file_mappings(struct stat file);

/* Everything that a call could leave behind. */
struct proc_footprint {
	size_t descriptors;
	size_t mappings; /* of files only when a sanitizer maps memory of its own */
};
struct proc_footprint proc_footprint(void);
void proc_check_footprint(const struct proc_footprint *before, const char *what);

size_t proc_descriptors(void);

/*
 * Threads of the program; and those that the kernel adds for io_uring, which run none of its code.
 */
size_t proc_threads(void);
size_t proc_kernel_workers(void);

/* A field of /proc/self/status, or of the entry of addr in /proc/self/smaps; bytes. */
uint64_t proc_status_bytes(const char *field);
uint64_t proc_smaps_bytes(const void *addr, const char *field);

/* Page faults without I/O of this process so far. */
long proc_minor_faults(void);

/*
 * For functions whose faults are counted: sanitizers fault in memory of their own for the accesses
 * they see.
 */
#define uninstrumented __attribute__((noinline, no_sanitize_address, no_sanitize_thread))

#endif
