/* SPDX-License-Identifier: MIT */
/* Regions, names, files and bytes for tests. Each of these checks what it does. */
#ifndef TEST_OBJECT_H
#define TEST_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "mshare.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* Bytes of a base page, and of what one PMD entry covers. */
size_t page_size(void);
size_t pmd_size(void);

/* An anonymous region of the backend under test, and all of it attached for writing. */
mshare_t region_make(size_t size);
mshare_t region_make_with(size_t size, const struct mshare_attr *attr);
void *region_attach_all(mshare_t r);
void region_end(mshare_t r);

/* What mshare_stat() says; `want` are MSHARE_STAT_* bits, all of which must be obtained. */
struct mshare_stat region_stat(mshare_t r, uint64_t want);
size_t region_size(mshare_t r);
struct stat region_file(mshare_t r);

/* A name that no other process uses. NAME_SIZE bytes. Whatever becomes of this program, its names
 * do not outlive it: run_cases() calls names_guard(). */
#define NAME_SIZE 64
void names_guard(void);
const char *name_make(char *name, const char *tag);

/* Objects in /dev/shm and in the hugetlbfs mount of the test run whose name contains this one. */
size_t name_count(const char *name);

/* Files without a name: memory, and on the disk the build is on. `size` bytes long. */
int memory_file(size_t size);
int disk_file(size_t size);

/* Opened once more, with O_* flags of its own and O_CLOEXEC: a descriptor; a handle of a region. */
int file_reopen(int fd, int flags);
mshare_t region_reopen(mshare_t r, int flags);

/* A pattern that differs from page to page: each 8 bytes hold offset and salt. */
void bytes_fill(void *p, size_t len, uint64_t salt);
void bytes_check(const void *p, size_t len, uint64_t salt);
void bytes_check_zero(const void *p, size_t len);

#endif
