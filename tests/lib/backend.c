/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "object.h"
#include "proc.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define EXIT_SKIP 77

static const char *const names[MSHARE_BACKEND_COUNT] = {
	[MSHARE_BACKEND_PLAIN] = "plain",
	[MSHARE_BACKEND_THP] = "thp",
	[MSHARE_BACKEND_HUGETLB] = "hugetlb",
	[MSHARE_BACKEND_SHIM] = "shim",
};

static bool skipped;

enum mshare_backend backend_id(void)
{
	static enum mshare_backend id;
	const char *wanted = getenv("MSHARE_BACKEND");

	for (int i = 1; id == MSHARE_BACKEND_NONE && wanted && i < MSHARE_BACKEND_COUNT; i++)
		if (names[i] && strcmp(wanted, names[i]) == 0)
			id = (enum mshare_backend)i;
	if (id == MSHARE_BACKEND_NONE) {
		fprintf(stderr, "set MSHARE_BACKEND to plain, thp, hugetlb or shim\n");
		exit(2);
	}
	return id;
}

const char *backend_name(void)
{
	return names[backend_id()];
}

bool backend_takes_shmem(void)
{
	return !backend_is(MSHARE_BACKEND_HUGETLB);
}

bool backend_takes_files(void)
{
	return backend_is(MSHARE_BACKEND_PLAIN) || backend_is(MSHARE_BACKEND_SHIM);
}

bool backend_has_huge_pages(void)
{
	return backend_is(MSHARE_BACKEND_THP) || backend_is(MSHARE_BACKEND_HUGETLB);
}

size_t backend_mapped(size_t len)
{
	bool whole = backend_is(MSHARE_BACKEND_HUGETLB) || backend_is(MSHARE_BACKEND_SHIM);

	return mshare_align(len, whole ? MSHARE_ALIGN_PMD : MSHARE_ALIGN_BASE);
}

size_t backend_region_size(size_t size)
{
	int level = backend_is(MSHARE_BACKEND_HUGETLB) ? MSHARE_ALIGN_PMD : MSHARE_ALIGN_AUTO;

	return mshare_align(size, level);
}

void skip_case(const char *reason)
{
	fprintf(stderr, "skip: %s\n", reason);
	check(!getenv("MSHARE_TEST_NO_SKIP"));
	skipped = true;
	skip();
	abort();
}

void need_root(const char *why)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "needs root, %s", why);
	if (geteuid() != 0)
		skip_case(reason);
}

/* Huge pages of the pool that the program may use, all of which have to be free. */
static size_t pages_needed(void)
{
	const char *pages = getenv("MSHARE_TEST_HUGEPAGES");

	return pages ? strtoul(pages, NULL, 10) : 1;
}

/* A memfd at an aligned address; NULL if the kernel refuses. */
static char *trial_mapping(unsigned int memfd_flags, size_t size)
{
	size_t align = mshare_align(1, MSHARE_ALIGN_PMD);
	int fd = memfd_create("trial", memfd_flags | MFD_CLOEXEC);
	char *room = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)room + align - 1) & ~(uintptr_t)(align - 1));
	char *p = MAP_FAILED;

	if (fd >= 0 && room != MAP_FAILED && ftruncate(fd, (off_t)size) == 0)
		p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void try_thp(void *unused)
{
	size_t size = mshare_align(1, MSHARE_ALIGN_PMD);
	char *p = trial_mapping(0, size);

	(void)unused;
	check(p);
	madvise(p, size, MADV_HUGEPAGE);
	p[0] = 1;
	madvise(p, size, MADV_COLLAPSE);
	p[0] = 2;
	check(proc_smaps_bytes(p, "ShmemPmdMapped") == size);
}

static void try_hugetlb(void *unused)
{
	size_t size = pages_needed() * mshare_align(1, MSHARE_ALIGN_PMD);
	char *p = trial_mapping(MFD_HUGETLB, size);

	(void)unused;
	check(p);
	p[0] = 1;
}

static bool child_succeeds(child_body *body)
{
	int status;
	pid_t pid = child_start(body, NULL);

	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* The kernel's own answer, without the library: a library that cannot do what the kernel can is a
 * failure, not a skip. In a child, so that the program starts without any cached answer. */
static const char *kernel_refuses(void)
{
	if (backend_is(MSHARE_BACKEND_SHIM) && access("/dev/mshare", R_OK | W_OK) != 0)
		return "the kernel module is not loaded";
	if (backend_is(MSHARE_BACKEND_THP) && !child_succeeds(try_thp))
		return "this kernel gives shared memory no transparent huge pages";
	if (backend_is(MSHARE_BACKEND_HUGETLB) && !child_succeeds(try_hugetlb))
		return "too few free huge pages in the pool (root's test runs add some)";
	if (backend_is(MSHARE_BACKEND_HUGETLB) && !getenv("MSHARE_TEST_HUGETLBFS"))
		return "no hugetlbfs for names (root's test runs mount one)";
	return NULL;
}

int run_cases(const struct CMUnitTest *cases, size_t count)
{
	const char *reason = kernel_refuses();
	int failed;

	if (reason) {
		fprintf(stderr, "skip: %s: %s\n", backend_name(), reason);
		return getenv("MSHARE_TEST_NO_SKIP") ? 1 : EXIT_SKIP;
	}
	names_guard();
	failed = _cmocka_run_group_tests(backend_name(), cases, count, NULL, NULL);
	if (failed)
		return 1;
	return skipped ? EXIT_SKIP : 0;
}
