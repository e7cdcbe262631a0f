/* SPDX-License-Identifier: MIT */
/*
 * A model of the kernel behind sys.h, where any system call can be made to fail.
 *
 * It keeps files, names, descriptors, mappings and huge page pools as Linux does, so that what a
 * call leaves behind can be counted. Mappings are real address space (PROT_NONE: the library never
 * touches memory itself). One process is one machine, booted once: tests fork for a fresh one.
 *
 *	fake-faults.c	which call fails, and allocations, which fail like system calls
 *	fake-files.c	files, names and descriptors
 *	fake-memory.c	mappings and huge pages
 *	fake-process.c	environment, /proc and /sys texts, helper, io_uring, capabilities
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

#define FAKE_PMD ((uint64_t)2 << 20)
#define FAKE_PUD ((uint64_t)1 << 30)

/* What the machine has. All zero: Linux before huge pages, with a /dev/shm. */
struct fake_machine {
	bool thp_fault; /* memfds get huge pages when touched */
	bool shm_huge; /* files in /dev/shm do: mounted with huge=advise */
	bool thp_collapse; /* MADV_COLLAPSE works */
	bool no_populate; /* before MADV_POPULATE_* */
	bool no_shm; /* no /dev/shm */
	bool no_tmpfile; /* the file system has no O_TMPFILE */
	bool no_noreplace; /* before MAP_FIXED_NOREPLACE: an address is a hint */
	bool no_uring; /* io_uring is forbidden */
	bool host; /* mshare-host is installed */
	bool hugetlbfs; /* mounted on /dev/hugepages */
	long pool_pmd; /* free hugetlb pages */
	long pool_pud;
	uint64_t shm_free; /* 0: no limit */
	const char *backend; /* MSHARE_BACKEND */
};

/* The machine this process runs on; may be changed while it runs. */
extern struct fake_machine fake;

/* What the library did that leaves no trace. */
extern unsigned int fake_helpers_started, fake_huge_advised;

/* What is in use; equal before and after means that nothing leaked. */
struct fake_usage {
	long descriptors;
	long mappings;
	uint64_t mapped_bytes;
	long names;
	long files;
	long pool_pmd;
	long pool_pud;
	long allocations;
};
struct fake_usage fake_usage(void);
long fake_live_allocations(void);

/* Faults: the step-th call from now on fails with the choice-th of the errors it can have. */
void fake_faults_on(unsigned int step, unsigned int choice);
void fake_faults_off(void);

struct fake_fault {
	bool reached; /* there were that many calls */
	bool fired; /* and that one has that many errors */
	int err;
	char call[64];
};
struct fake_fault fake_fault(void);

/* Also makes unmapping and removing names fail, which as a rule only ends in what it was to undo.
 */
extern bool fake_cleanup_fails;

/* For the files of the model: the injected -errno, or 0. `errors` ends with 0. */
int fake_fault_here(const char *call, const int *errors);
#define FAULT(...) fake_fault_here(__func__ + sizeof("sys"), (const int[]){ __VA_ARGS__, 0 })

enum fake_kind { FAKE_SHMEM, FAKE_HUGE, FAKE_REGULAR, FAKE_PIPE, FAKE_PAGEMAP };

struct fake_file {
	enum fake_kind kind;
	bool in_shm;
	long uses; /* descriptors, mappings, name; 0: free */
	uint64_t size;
	uint64_t page_size; /* of hugetlb pages */
	uint64_t reserved; /* bytes taken from the pool */
	int seals;
	bool served; /* a helper holds its lock */
	char path[300]; /* "" without a name */
};

/* A file of the application's own: a descriptor, open with these flags. */
int fake_make_fd(enum fake_kind kind, uint64_t size, int flags);
struct fake_file *fake_file_of(int fd); /* NULL: not open */
void fake_file_use(struct fake_file *file);
void fake_file_drop(struct fake_file *file);
bool fake_fd_writable(int fd);

/* Takes or gives back hugetlb pages; false: the pool is too small. */
bool fake_pool_take(uint64_t page_size, uint64_t bytes);
void fake_pool_give(uint64_t page_size, uint64_t bytes);

void fake_memory_usage(struct fake_usage *usage);

#endif
