/* SPDX-License-Identifier: MIT */
#include "weak-uses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "subject.h"

#define NAME "/mshare-test-weak"

static char *map(size_t size, int flags)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS | flags, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

static void use(char *p)
{
	fill(p, SIZE, 1);
	expect_filled(p, SIZE, 1);
	expect(munmap(p, SIZE) == 0);
}

static void use_little(void)
{
	char *p = map(SIZE, 0);

	for (size_t i = 0; i < SIZE; i += (size_t)1 << 20)
		p[i] = 1;
	expect(munmap(p, SIZE) == 0);
}

static void use_memory(void)
{
	use(map(SIZE, 0));
}

/*
 * Enough for the program and its libraries, not for an aligned second try. In the program, because
 * a sanitizer in the command needs more.
 */
static void use_few_addresses(void)
{
	const struct rlimit few = { (rlim_t)64 << 20, (rlim_t)64 << 20 };

	expect(setrlimit(RLIMIT_AS, &few) == 0);
	use_memory();
}

static char *map_name(void)
{
	int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
	char *p;

	expect(fd >= 0 && shm_unlink(NAME) == 0 && ftruncate(fd, (off_t)SIZE) == 0);
	p = mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED && close(fd) == 0);
	return p;
}

static void use_name(void)
{
	use(map_name());
}

static void use_name_little(void)
{
	char *p = map_name();

	p[5] = 5;
	expect(p[5] == 5 && p[4096] == 0);
	expect(munmap(p, SIZE) == 0);
}

static void use_no_name(void)
{
	errno = 0;
	expect(shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == ENOENT);
	use_memory();
}

/* With nothing to be locked, and neither the right to. */
static void use_lock(void)
{
	char *p;

	errno = 0;
	p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS | MAP_LOCKED, -1, 0);
	expect(p == MAP_FAILED && errno == EPERM);
	p = map(SIZE, 0);
	errno = 0;
	expect(mlock(p, SIZE) == -1 && errno == EPERM);
	use(p);
}

/* Without having it set aside: as much of other memory there is not either. */
static void use_big(void)
{
	char *p = map(BIG, MAP_NORESERVE);
	char part[64];

	snprintf(part, sizeof(part), "\"size\": %zu,", BIG);
	expect(report_lines(part, "\"backend\": \"hugetlb\"") == 0);
	fill(p, SIZE, 1);
	fill(p + BIG - SIZE, SIZE, 2);
	expect_filled(p, SIZE, 1);
	expect_filled(p + BIG - SIZE, SIZE, 2);
	expect(munmap(p, BIG) == 0);
}

/* Reserved huge pages are in no group's memory; base pages for their bytes would be. */
static void use_a_part(void)
{
	char *p = map(SIZE, 0);

	fill(p, SIZE, 1);
	errno = 0;
	expect(mprotect(p + 4096, 4096, PROT_READ) == -1 && errno == EINVAL);
	expect_filled(p, SIZE, 1);
	use(p);
}

static const struct {
	const char *name;
	void (*body)(void);
} uses[] = {
	{ "use", use_memory },
	{ "use-little", use_little },
	{ "use-few-addresses", use_few_addresses },
	{ "use-name", use_name },
	{ "use-name-little", use_name_little },
	{ "use-no-name", use_no_name },
	{ "use-lock", use_lock },
	{ "use-big", use_big },
	{ "use-a-part", use_a_part },
};

bool weak_use(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (is_mode(argc, argv, uses[i].name)) {
			uses[i].body();
			return true;
		}
	}
	return false;
}
