/* SPDX-License-Identifier: MIT */
/*
 * The backend a program is run for: each integration program is run once per backend, with its name
 * in MSHARE_BACKEND.
 */
#ifndef TEST_BACKEND_H
#define TEST_BACKEND_H

#include <stdbool.h>

#include "check.h"
#include "mshare.h"

enum mshare_backend backend_id(void);
const char *backend_name(void);
static inline bool backend_is(enum mshare_backend id)
{
	return backend_id() == id;
}

/* Whether tmpfs objects (memfd, shm_open) and regular files can be regions of this backend. */
bool backend_takes_shmem(void);
bool backend_takes_files(void);

/* Whether pages are larger than the base page, once filled or populated. */
bool backend_has_huge_pages(void);

/* The length of a mapping for which `len` was asked. */
size_t backend_mapped(size_t len);

/* The size mshare_create() gives a region for which `size` was asked, by the rules of mshare.h. */
size_t backend_region_size(size_t size);

/*
 * Skips the case, saying why; where MSHARE_TEST_NO_SKIP is set, where nothing may be missing, it
 * fails instead. The program then exits with 77 if nothing failed, so that no skip goes unseen.
 */
void skip_case(const char *reason) __attribute__((noreturn));

/* Skips the case unless it runs as root. */
void need_root(const char *why);

/*
 * Runs the cases of a program; the value for main() to return. The one place that skips a whole
 * program: when the kernel, tried without the library, cannot do what the backend needs.
 */
int run_cases(const struct CMUnitTest *cases, size_t count);
#define RUN_CASES(cases) run_cases(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
