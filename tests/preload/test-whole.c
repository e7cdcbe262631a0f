/* SPDX-License-Identifier: MIT */
/* Calls on the whole of a mapping, of the length that was asked for, do what they always do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "subject.h"

static const int advices[] = {
	MADV_NORMAL,   MADV_RANDOM,	   MADV_SEQUENTIAL,	MADV_WILLNEED,
	MADV_DONTDUMP, MADV_DODUMP,	   MADV_DONTFORK,	MADV_DOFORK,
	MADV_DONTNEED, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
};

/* Of files, also where the mapping is longer than the file. */
static void advise(char *p, size_t size)
{
	fill(p, size, 1);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		expect_true(madvise(p, size, advices[i]) == 0, __FILE__, advices[i], "advice");
	expect_filled(p, size, 1);
}

static char *map_file(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char *p;

	expect(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	p = mmap(NULL, size, READ_WRITE, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED && close(fd) == 0);
	return p;
}

static char *map(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

static void all_advice(void)
{
	char *file = map_file(SIZE);
	char *p = map(SIZE);

	advise(file, SIZE);
	advise(p, SIZE);
	expect(munmap(file, SIZE) == 0 && munmap(p, SIZE) == 0);
}

/* It returns errors, and leaves errno alone. */
static void posix_advice(void)
{
	char *p = map(SIZE);

	fill(p, SIZE, 1);
	errno = 0;
	expect(posix_madvise(p, SIZE, POSIX_MADV_RANDOM) == 0);
	expect(posix_madvise(p, SIZE, POSIX_MADV_WILLNEED) == 0);
	expect(posix_madvise(p, SIZE, POSIX_MADV_DONTNEED) == 0);
	expect(posix_madvise(p, SIZE, 12345) == EINVAL && errno == 0);
	expect_filled(p, SIZE, 1);
	expect(munmap(p, SIZE) == 0);
}

/* Where the processor has none, there is at least the key that stands for no key. */
static void keys(void)
{
	char *p = map(SIZE);
	int key = pkey_alloc(0, 0);

	fill(p, SIZE, 1);
	expect(pkey_mprotect(p, SIZE, PROT_READ, -1) == 0);
	expect(pkey_mprotect(p, SIZE, READ_WRITE, -1) == 0);
	if (key >= 0) {
		expect(pkey_mprotect(p, SIZE, READ_WRITE, key) == 0);
		expect(pkey_mprotect(p, 4096, READ_WRITE, 0) == 0 || backend_is("hugetlb"));
		expect(pkey_mprotect(p, SIZE, READ_WRITE, 0) == 0 && pkey_free(key) == 0);
	}
	fill(p, SIZE, 2);
	expect_filled(p, SIZE, 2);
	expect(munmap(p, SIZE) == 0);
}

static size_t locked_bytes(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0;

	expect(status);
	while (fgets(line, sizeof(line), status))
		(void)sscanf(line, "VmLck: %zu kB", &kib);
	fclose(status);
	return kib << 10;
}

/* Memory of the pool is never counted. */
static void lock_by(int (*call)(const void *p, size_t len), char *p, bool counted)
{
	size_t before = locked_bytes();

	if (call(p, SIZE) == 0)
		expect(!counted || locked_bytes() == before + SIZE);
	else
		expect(errno == ENOMEM || errno == EPERM || errno == EAGAIN);
	expect(munlock(p, SIZE) == 0);
	expect(munmap(p, SIZE) == 0);
}

static int lock_on_fault(const void *p, size_t len)
{
	return mlock2(p, len, MLOCK_ONFAULT);
}

static void lock_when_mapped(void)
{
	size_t before = locked_bytes();
	int fd = memfd_create("test", MFD_CLOEXEC);
	char *p;

	expect(fd >= 0 && ftruncate(fd, SIZE) == 0);
	p = mmap(NULL, SIZE, READ_WRITE, MAP_SHARED | MAP_LOCKED, fd, 0);
	if (p != MAP_FAILED)
		expect(locked_bytes() == before + SIZE && munmap(p, SIZE) == 0);
	else
		expect(errno == EAGAIN);
	close(fd);
}

static void locks(void)
{
	bool counted = !backend_is("hugetlb");

	lock_by(mlock, map(SIZE), counted);
	lock_by(mlock, map_file(SIZE), true);
	lock_by(lock_on_fault, map(SIZE), counted);
	lock_by(lock_on_fault, map_file(SIZE), true);
	lock_when_mapped();
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	all_advice();
	posix_advice();
	keys();
	locks();
	expect_converted(SIZE);
	return 0;
}
