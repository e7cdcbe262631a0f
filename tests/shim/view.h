/* SPDX-License-Identifier: MIT */
/*
 * Views and attachments made by the kernel ABI itself, so that a test knows every process that
 * takes part. Each of these checks what it does, unless it says that it returns an error.
 */
#ifndef TEST_VIEW_H
#define TEST_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "check.h"
#include "child.h"
#include "mshare/abi.h"
#include "proc.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define PAGE ((size_t)4096)
#define SLOT (2 * MIB)

#define READ_ONLY PROT_READ
#define READ_WRITE (PROT_READ | PROT_WRITE)

/* An operation on a device descriptor of its own: its result, or -errno. */
int device_open(void);
int device_call(unsigned long command, void *argument);

/*
 * A process that hosts a file: it maps all of it with `prot`, registers that, and stays. With
 * body, it runs that beside, on its own mapping, and then sleeps.
 */
struct host {
	pid_t pid;
	int fd;
	size_t size;
	int prot;
};
struct mapping {
	char *at;
	size_t size;
	int fd;
};
typedef void host_body(const struct mapping *own);
struct host host_start(int fd, size_t size, int prot);
struct host host_start_with(int fd, size_t size, int prot, host_body *body);
/* The host leaves by itself when nobody is attached any more. */
void host_leaves(const struct host *host);
void host_kill(const struct host *host);

/* What CREATE answers in this process: 0 or -errno. The device must be kept open. */
int view_create(int device, int fd, const struct mapping *own, int prot);

/* A descriptor to be mapped, or -errno. */
int view_attach(int fd, int prot);

/* The statistics of the view; view_query() checks that there is one. */
int view_try_query(int fd, int prot, struct mshare_ctl_query *query);
struct mshare_ctl_query view_query(int fd, int prot);

/* mmap(2) of the view or the file at a 1 GiB grid, or where given; MAP_FAILED from the last. */
void *attach(int fd, size_t size, int prot);
void *attach_at(int fd, size_t size, int prot, void *at);
void *map_plain(int fd, size_t size, int prot);
void *try_attach(int fd, size_t size, int prot, void *at);
void detach(void *at, size_t size);

/* Address space that nothing is in: free it, or map over it. */
void *reserve(size_t size);

/* The first word of each page tells which it is. */
void pages_fill(void *at, size_t size, uint64_t salt);
void pages_check(const void *at, size_t size, uint64_t salt);
/* Both, then checks what is seen with read(2) of the file. */
void pages_check_file(int fd, size_t size, uint64_t salt);

/* Ends of what others do: true as soon as the condition is. Only what hangs takes this long. */
#define COMES_TRUE(condition)                                                                      \
	({                                                                                         \
		int patience = 6000;                                                               \
		while (!(condition) && patience-- > 0)                                             \
			pause_ms(10);                                                              \
		patience > 0;                                                                      \
	})
void pause_ms(unsigned int ms);

/* Memory of this process and those it forks later, zero. */
void *shared_memory(size_t size);

/* The signal a child dies by when it runs body, or 0; it must not fail a check. */
int signal_of(child_body *body, void *arg);

/* Writes text to a file of the kernel; the result or -errno. */
int write_text(const char *path, const char *text);
/* A number behind a key in a file such as /proc/vmstat; checks that it is there. */
uint64_t counter(const char *path, const char *key);

int shim_main(const struct CMUnitTest *cases, size_t count);
#define SHIM_MAIN(cases) shim_main(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
