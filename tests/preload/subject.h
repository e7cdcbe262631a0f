/* SPDX-License-Identifier: MIT */
/*
 * Programs that have never heard of libmshare: they use the C library alone, and start themselves
 * under `mshare run`. What a case expects holds for the kernel's own mappings too: run for the
 * backend plain, the same program is its own control.
 *
 * usage: test-NAME PATH-OF-MSHARE
 */
#ifndef TEST_SUBJECT_H
#define TEST_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_SHARED | MAP_ANONYMOUS)

/* Big enough to be converted; not a multiple of what a huge page covers. */
#define SIZE ((size_t)(20 << 20) + (12 << 10))

/* Ends the process with 1, saying where. */
#define expect(condition) expect_true((condition), __FILE__, __LINE__, #condition)
void expect_true(bool ok, const char *file, int line, const char *text);

/* Ends the program with 77, saying why; with 1 where MSHARE_TEST_NO_SKIP is set. */
void skip_all(const char *reason) __attribute__((noreturn));

/* First in main(): returns in the program that `mshare run OPTION... --` has started. The options
 * come on top of --report and --json and end with NULL. */
void subject_start(int argc, char **argv, const char *const *options);

/* The backend of this run, by MSHARE_BACKEND. */
bool backend_is(const char *name);

/* Whether a mapping of that size was converted, or left, by some process of this run, with exactly
 * the backend of this run; for plain, everything is left. */
void expect_converted(size_t size);
void expect_left(size_t size);

/* No line of the report is about a mapping of that size: the call went straight to the kernel. */
void expect_unseen(size_t size);

/* Lines of the report that contain both. */
size_t report_lines(const char *part, const char *other);

/* All of it, on stderr. */
void show_report(void);

/* Bytes of [addr, addr+len), and of everything, that /proc/self/maps has as mapped. */
size_t mapped_bytes(const void *addr, size_t len);
size_t mapped_total(void);

size_t descriptors(void);

/* A pattern that differs from page to page. */
void fill(void *p, size_t len, uint64_t salt);
void expect_filled(const void *p, size_t len, uint64_t salt);

/* Forks; the child runs body(arg) and leaves with 0. Waits for it. */
void in_child(void (*body)(void *), void *arg);
void wait_for(pid_t pid);

/* The program anew: execs itself with MODE as its only argument; under `mshare run` as before. */
void in_new_program(const char *mode);

/* Whether this process was started so. */
bool is_mode(int argc, char **argv, const char *mode);

#endif
