/* SPDX-License-Identifier: MIT */
/* Every flag and protection of mmap(2) means what it always means, and so does errno. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "subject.h"

#define HUGE ((size_t)2 << 20)

static size_t page;

static char *map(size_t size, int prot, int flags)
{
	char *p;

	errno = 0;
	p = mmap(NULL, size, prot, flags, -1, 0);
	expect(p != MAP_FAILED && errno == 0);
	return p;
}

static void private_is_untouched(void)
{
	char *p = map(SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	p[0] = 1;
	expect(munmap(p, SIZE) == 0);
	expect_unseen(SIZE);
}

/* One byte under the threshold, which is 16 MiB here. */
static void small_is_untouched(void)
{
	size_t small = ((size_t)16 << 20) - 1;
	char *p = map(small, READ_WRITE, ANONYMOUS);

	expect(munmap(p, small) == 0);
	expect_unseen(small);
	p = map(small + 1, READ_WRITE, ANONYMOUS);
	expect(munmap(p, small + 1) == 0);
	expect_converted(small + 1);
}

/* First comes what the program asked for; whether it can be had is the kernel's to say. */
static void hugetlb_attempt(void)
{
	size_t size = 11 * HUGE;
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS | MAP_HUGETLB, -1, 0);

	expect_left(size);
	if (p == MAP_FAILED)
		expect(errno == ENOMEM);
	else
		expect(munmap(p, size) == 0);
}

static size_t resident(const char *p, size_t size)
{
	static unsigned char vec[8192];
	size_t count = 0;

	expect(size / page <= sizeof(vec) && mincore((void *)p, size / page * page, vec) == 0);
	for (size_t i = 0; i < size / page; i++)
		count += vec[i] & 1;
	return count;
}

static void populate(void)
{
	size_t size = SIZE + 4 * page;
	char *lazy = map(SIZE + page, READ_WRITE, ANONYMOUS);
	char *p = map(size, READ_WRITE, ANONYMOUS | MAP_POPULATE);

	expect_converted(size);
	expect(resident(p, size) == size / page);
	expect(resident(lazy, SIZE + page) == 0);
	expect(munmap(p, size) == 0 && munmap(lazy, SIZE + page) == 0);
}

static void no_reserve_and_stack(void)
{
	size_t size = SIZE + 2 * page;
	char *p = map(size, READ_WRITE, ANONYMOUS | MAP_NORESERVE | MAP_STACK);

	fill(p, size, 1);
	expect_converted(size);
	expect(munmap(p, size) == 0);
}

static void locked(void)
{
	const struct rlimit none = { 0, 0 };
	size_t size = SIZE + 3 * page;
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS | MAP_LOCKED, -1, 0);

	if (p != MAP_FAILED) {
		expect(resident(p, size) == size / page);
		expect(munmap(p, size) == 0);
	} else {
		expect(errno == EAGAIN);
	}
	if (geteuid() == 0)
		return; /* may lock whatever it likes */
	expect(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	expect(mmap(NULL, size, READ_WRITE, ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED);
	expect(errno == EAGAIN || errno == EPERM);
}

static void at_a_fixed_address(void)
{
	size_t size = 10 * HUGE;
	size_t before = mapped_total();
	char *room = map(size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	char *at = (char *)(((uintptr_t)room + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	char *p;

	p = mmap(at, size, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);
	expect(p == at);
	expect_converted(size);
	fill(p, size, 1);
	expect(mmap(at, size, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
	expect(errno == EEXIST);
	expect_filled(p, size, 1);
	expect(mmap(at, size, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == at);
	expect(p[0] == 0 && p[size - 1] == 0);
	expect(munmap(room, size + HUGE) == 0);
	expect(mapped_total() == before);
	p = mmap(at, size, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	expect(p == at && munmap(p, size) == 0);
	p = mmap(at, size, READ_WRITE, ANONYMOUS, -1, 0); /* a hint, and free */
	expect(p == at && munmap(p, size) == 0);
}

/* A hint that no huge page could begin at is followed all the same. */
static void odd_hint(void)
{
	size_t size = SIZE + 5 * page;
	char *room = map(size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	char *at = (char *)(((uintptr_t)room + HUGE) & ~(uintptr_t)(HUGE - 1)) + page;
	char *p;

	expect(munmap(room, size + 2 * HUGE) == 0);
	p = mmap(at, size, READ_WRITE, ANONYMOUS, -1, 0);
	expect(p == at);
	expect_left(size);
	expect(munmap(p, size) == 0);
}

static void protections(void)
{
	size_t size = SIZE + 6 * page;
	char *p = map(size, PROT_NONE, ANONYMOUS);

	expect(mprotect(p, size, READ_WRITE) == 0);
	fill(p, size, 1);
	expect_filled(p, size, 1);
	expect(munmap(p, size) == 0);
	p = map(size + page, READ_WRITE | PROT_EXEC, ANONYMOUS);
	expect_left(size + page);
	expect(munmap(p, size + page) == 0);
}

static void refusals(void)
{
	char *p;
	int fd;

	errno = 0;
	expect(mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, -1, 0) == MAP_FAILED && errno == EBADF);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	expect(fd >= 0);
	expect(mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
	close(fd);
	fd = memfd_create("test", MFD_CLOEXEC);
	expect(fd >= 0 && ftruncate(fd, SIZE) == 0);
	expect(mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, fd, 100) == MAP_FAILED && errno == EINVAL);
	close(fd);
	expect(mmap(NULL, (size_t)1 << 62, READ_WRITE, ANONYMOUS, -1, 0) == MAP_FAILED);
	expect(errno == ENOMEM);
	expect(munmap((void *)(uintptr_t)1, SIZE) == -1 && errno == EINVAL);
	/* Shared memory by its oldest name. */
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	p = mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED && p[5] == 0);
	expect(munmap(p, SIZE) == 0);
	close(fd);
}

#define WRONG (SIZE + (300 << 10))

/* What the kernel has no sense for in memory without a file. */
static void wrong_for_anonymous(void)
{
	errno = 0;
	expect(mmap(NULL, WRONG, READ_WRITE, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED);
	expect(errno == EINVAL);
	errno = 0;
	expect(mmap(NULL, WRONG, READ_WRITE, ANONYMOUS, -1, 100) == MAP_FAILED && errno == EINVAL);
}

int main(int argc, char **argv)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	subject_start(argc, argv, (const char *const[]){ "--min-size", "16M", NULL });
	private_is_untouched();
	small_is_untouched();
	hugetlb_attempt();
	populate();
	no_reserve_and_stack();
	locked();
	at_a_fixed_address();
	odd_hint();
	protections();
	refusals();
	wrong_for_anonymous();
	return 0;
}
