/* SPDX-License-Identifier: MIT */
/* Wrong arguments get the documented errno and a sentence; nothing is mapped, created or lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "object.h"
#include "proc.h"

#define REGION (2 * pmd_size())

/* Brackets a case: what the process holds must be the same at its end. */
static struct proc_footprint at_start;

static int remember(void **state)
{
	(void)state;
	free(calloc(1, 1));
	at_start = proc_footprint();
	return 0;
}

static int compare(void **state)
{
	(void)state;
	proc_check_footprint(&at_start, "refused calls");
	return 0;
}

static void refuse_create(const char *name, size_t size, const struct mshare_attr *attr, int err)
{
	check_refused(!mshare_create(name, size, attr), err);
}

static void refuse_attach(mshare_t r, void *addr, off_t off, size_t len, int prot,
			  unsigned int flags, int err)
{
	size_t before = proc_file_mappings(region_file(r));

	check_refused(mshare_attach(r, addr, off, len, prot, flags) == MAP_FAILED, err);
	check_equal(proc_file_mappings(region_file(r)), before);
	check_equal(region_stat(r, 0).attachments, before);
}

static void sizes(void **state)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	(void)state;
	refuse_create(NULL, 0, NULL, EINVAL);
	refuse_create(NULL, SIZE_MAX, NULL, EOVERFLOW);
	refuse_create(NULL, (size_t)INT64_MAX, NULL, EOVERFLOW);
	refuse_create(NULL, (size_t)INT64_MAX + 1, NULL, EOVERFLOW);
	refuse_create(NULL, SIZE_MAX - page_size(), NULL, EOVERFLOW);
	for (uint32_t level = MSHARE_ALIGN_BASE; level <= MSHARE_ALIGN_PUD; level++) {
		attr.align = level;
		refuse_create(NULL, (size_t)INT64_MAX - 1, &attr, EOVERFLOW);
	}
	check_refused(mshare_align(0, MSHARE_ALIGN_AUTO) == 0, EINVAL);
	check(strcmp(mshare_errmsg(), "align: size is 0") == 0);
	check_refused(mshare_align(SIZE_MAX, MSHARE_ALIGN_AUTO) == 0, EOVERFLOW);
	check_refused(mshare_align(1, MSHARE_ALIGN_PUD + 1) == 0, EINVAL);
	check_refused(mshare_align(1, -1) == 0, EINVAL);
	check(strstr(mshare_errmsg(), "level -1") && !strstr(mshare_errmsg(), "size"));
}

static void names(void **state)
{
	static const char *const bad[] = {
		"", "/", "none", "/a/b", "//a", "a/b", "/a/", "/.", "/.."
	};
	char longest[300] = "/";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuse_create(bad[i], REGION, NULL, EINVAL);
		check_refused(!mshare_open(bad[i], O_RDWR, NULL), EINVAL);
		check_refused(mshare_unlink(bad[i]) == -1, EINVAL);
	}
	check_refused(!mshare_open(NULL, O_RDWR, NULL), EINVAL);
	check_refused(mshare_unlink(NULL) == -1, EINVAL);
	memset(longest + 1, 'n', 256);
	refuse_create(longest, REGION, NULL, ENAMETOOLONG);
	check_refused(!mshare_open(longest, O_RDWR, NULL), ENAMETOOLONG);
	check_refused(mshare_unlink(longest) == -1, ENAMETOOLONG);
	check_refused(!mshare_open("/mshare-test-does-not-exist", O_RDWR, NULL), ENOENT);
	check_refused(mshare_unlink("/mshare-test-does-not-exist") == -1, ENOENT);
}

static void longest_name_works(void **state)
{
	char name[300] = "";
	mshare_t r;

	(void)state;
	name_make(name, "long");
	memset(name + strlen(name), 'n', 256 - strlen(name));
	r = mshare_create(name, REGION, NULL);
	check(r);
	refuse_create(name, REGION, NULL, EEXIST);
	check_equal(name_count(name), 1);
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void attr_values(void **state)
{
	static const struct mshare_attr bad[] = {
		{ sizeof(bad[0]), 1ull << 2, 0, 0, 0, 0 },
		{ sizeof(bad[0]), 1ull << 63, 0, 0, 0, 0 },
		{ sizeof(bad[0]), 0, MSHARE_PAGES_PUD + 1, 0, 0, 0 },
		{ sizeof(bad[0]), 0, 0, MSHARE_PAGES_PUD + 1, 0, 0 },
		{ sizeof(bad[0]), 0, 0, 0, MSHARE_ALIGN_PUD + 1, 0 },
		{ sizeof(bad[0]), 0, 0, 0, 0, 01000000 },
		{ 0, 0, 0, 0, 0, 0 },
		{ 1, 0, 0, 0, 0, 0 },
		{ sizeof(bad[0]) - 1, 0, 0, 0, 0, 0 },
	};
	mshare_t r = region_make(REGION);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refuse_create(NULL, REGION, &bad[i], EINVAL);
		refuse_create("/mshare-test-bad-attr", REGION, &bad[i], EINVAL);
		check_refused(!mshare_from_fd(mshare_fd(r), &bad[i]), EINVAL);
	}
	check_equal(name_count("/mshare-test-bad-attr"), 0);
	region_end(r);
}

struct later_attr {
	struct mshare_attr known;
	uint64_t unknown[3];
};

static void attr_of_a_later_release(void **state)
{
	struct later_attr later = { .known = MSHARE_ATTR_INIT };
	mshare_t r;

	(void)state;
	later.known.size = sizeof(later);
	r = region_make_with(REGION, &later.known);
	later.unknown[2] = 1;
	refuse_create(NULL, REGION, &later.known, E2BIG);
	check_refused(!mshare_from_fd(mshare_fd(r), &later.known), E2BIG);
	check_refused(!mshare_open("/mshare-test-x", O_RDWR, &later.known), E2BIG);
	region_end(r);
}

static void offsets_and_lengths(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	refuse_attach(r, NULL, 0, 0, READ_WRITE, 0, EINVAL);
	refuse_attach(r, NULL, 1, 1, READ_WRITE, 0, EINVAL);
	refuse_attach(r, NULL, (off_t)page_size(), page_size(), READ_WRITE, 0, EINVAL);
	refuse_attach(r, NULL, -1, 1, READ_WRITE, 0, EINVAL);
	refuse_attach(r, NULL, INT64_MIN, 1, READ_WRITE, 0, EINVAL);
	refuse_attach(r, NULL, 0, REGION + 1, READ_WRITE, 0, ENXIO);
	refuse_attach(r, NULL, 0, SIZE_MAX, READ_WRITE, 0, ENXIO);
	refuse_attach(r, NULL, (off_t)pmd_size(), SIZE_MAX - pmd_size() + 1, READ_WRITE, 0, ENXIO);
	refuse_attach(r, NULL, (off_t)REGION, 1, READ_WRITE, 0, ENXIO);
	region_end(r);
}

static void addresses(void **state)
{
	mshare_t r = region_make(REGION);
	char *taken = mmap(NULL, 2 * REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)(((uintptr_t)taken + pmd_size() - 1) & ~(pmd_size() - 1));

	(void)state;
	refuse_attach(r, aligned + 1, 0, REGION, READ_WRITE, 0, EINVAL);
	refuse_attach(r, aligned + page_size(), 0, REGION, READ_WRITE, MSHARE_FIXED, EINVAL);
	refuse_attach(r, aligned + page_size(), 0, REGION, READ_WRITE, MSHARE_SAME_ADDR, EINVAL);
	refuse_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_FIXED, EINVAL);
	refuse_attach(r, aligned, 0, REGION, READ_WRITE, MSHARE_FIXED, EEXIST);
	refuse_attach(r, aligned, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR, EADDRINUSE);
	check(munmap(taken, 2 * REGION) == 0);
	region_end(r);
}

static void protections_and_flags(void **state)
{
	static const int prots[] = { PROT_WRITE, PROT_EXEC, PROT_READ | PROT_EXEC, 1 << 20, -1 };
	static const unsigned int flags[] = { 1u << 3, 1u << 31, ~0u };
	mshare_t r = region_make(REGION);

	(void)state;
	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++)
		refuse_attach(r, NULL, 0, REGION, prots[i], 0, EINVAL);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		refuse_attach(r, NULL, 0, REGION, READ_WRITE, flags[i], EINVAL);
	region_end(r);
}

static void refuse_everything(mshare_t r)
{
	struct mshare_stat st = { .size = sizeof(st) };
	char byte;

	check_refused(mshare_fd(r) == -1, EBADF);
	check_refused(mshare_attach(r, NULL, 0, 1, PROT_READ, 0) == MAP_FAILED, EBADF);
	check_refused(mshare_detach(r, &byte, 1) == -1, EBADF);
	check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == -1, EBADF);
	check_refused(mshare_stat(r, &st) == -1, EBADF);
	check_refused(mshare_close(r) == -1, EBADF);
}

static void handles(void **state)
{
	mshare_t closed = region_make(REGION), next;

	(void)state;
	region_end(closed);
	refuse_everything(NULL);
	refuse_everything(closed);
	next = region_make(REGION); /* takes the same slot of the table */
	refuse_everything(closed);
	refuse_everything((mshare_t)(uintptr_t)&at_start);
	refuse_everything((mshare_t)UINTPTR_MAX);
	check_equal(region_size(next), REGION);
	region_end(next);
}

static void probes(void **state)
{
	struct mshare_caps caps = { .size = sizeof(caps) - 1 };

	(void)state;
	check_refused(mshare_probe(NULL) == -1, EINVAL);
	check_refused(mshare_probe(&caps) == -1, EINVAL);
	caps.size = 4097;
	check_refused(mshare_probe(&caps) == -1, E2BIG);
}

static void environment(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	backend_id();
	check(setenv("MSHARE_BACKEND", "nonsense", 1) == 0);
	refuse_create(NULL, REGION, NULL, EINVAL);
	check(strstr(mshare_errmsg(), "nonsense"));
	refuse_create("/mshare-test-environment", REGION, NULL, EINVAL);
	check_refused(!mshare_from_fd(mshare_fd(r), NULL), EINVAL);
	check_equal(name_count("/mshare-test-environment"), 0);
	check(setenv("MSHARE_BACKEND", backend_name(), 1) == 0);
	region_end(r);
}

static void seals(void **state)
{
	const unsigned int huge = backend_takes_shmem() ? 0 : MFD_HUGETLB;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge);
	mshare_t r;

	(void)state;
	check(fd >= 0 && ftruncate(fd, (off_t)REGION) == 0);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	r = mshare_from_fd(fd, NULL);
	check(r);
	refuse_attach(r, NULL, 0, REGION, READ_WRITE, 0, EPERM);
	refuse_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE, EPERM);
	check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == -1, EPERM);
	region_end(r);
	close(fd);
}

#define bracketed(test) cmocka_unit_test_setup_teardown(test, remember, compare)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(handles), /* first: the handle table comes into being here */
		bracketed(handles),
		bracketed(sizes),
		bracketed(names),
		bracketed(longest_name_works),
		bracketed(attr_values),
		bracketed(attr_of_a_later_release),
		bracketed(offsets_and_lengths),
		bracketed(addresses),
		bracketed(protections_and_flags),
		bracketed(probes),
		bracketed(environment),
		bracketed(seals),
	};

	return RUN_CASES(cases);
}
