/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "check.h"
#include "janitor.h"

size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t pmd_size(void)
{
	return mshare_align(1, MSHARE_ALIGN_PMD);
}

mshare_t region_make_with(size_t size, const struct mshare_attr *attr)
{
	mshare_t r = mshare_create(NULL, size, attr);

	check(r);
	return r;
}

mshare_t region_make(size_t size)
{
	mshare_t r = region_make_with(size, NULL);

	check_equal(region_stat(r, 0).backend, backend_id());
	return r;
}

void *region_attach_all(mshare_t r)
{
	void *p = mshare_attach(r, NULL, 0, region_size(r), READ_WRITE, 0);

	check(p != MAP_FAILED);
	if (backend_is(MSHARE_BACKEND_SHIM)) /* not what it fell back to */
		check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_SHIM);
	return p;
}

void region_end(mshare_t r)
{
	check(mshare_close(r) == 0);
}

struct mshare_stat region_stat(mshare_t r, uint64_t want)
{
	struct mshare_stat st = { .size = sizeof(st), .want = want };

	check(mshare_stat(r, &st) == 0);
	check_equal(st.valid, want);
	return st;
}

size_t region_size(mshare_t r)
{
	return region_stat(r, 0).region_size;
}

struct stat region_file(mshare_t r)
{
	struct stat st;

	check(fstat(mshare_fd(r), &st) == 0);
	return st;
}

static pid_t program; /* the one that ran names_guard(), also in its children */

void names_guard(void)
{
	char prefix[NAME_SIZE];

	program = getpid();
	snprintf(prefix, sizeof(prefix), "mshare-test-%d-", program);
	janitor_start(prefix);
}

const char *name_make(char *name, const char *tag)
{
	static int serial;

	check(program != 0);
	snprintf(name, NAME_SIZE, "/mshare-test-%d-%s-%d-%d", program, tag, getpid(), serial++);
	return name;
}

static size_t count_names(const char *path, const char *part)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		count += strstr(e->d_name, part) != NULL;
	closedir(dir);
	return count;
}

size_t name_count(const char *name)
{
	const char *hugetlbfs = getenv("MSHARE_TEST_HUGETLBFS");
	size_t count = count_names("/dev/shm", name + 1);

	return hugetlbfs ? count + count_names(hugetlbfs, name + 1) : count;
}

static int sized(int fd, size_t size)
{
	check(fd >= 0);
	check(ftruncate(fd, (off_t)size) == 0);
	return fd;
}

int memory_file(size_t size)
{
	return sized(memfd_create("mshare-test", MFD_CLOEXEC | MFD_ALLOW_SEALING), size);
}

int disk_file(size_t size)
{
	const char *dir = getenv("MSHARE_TEST_DIR");
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/mshare-test-XXXXXX", dir ? dir : ".");
	fd = mkostemp(path, O_CLOEXEC);
	check(fd >= 0 && unlink(path) == 0);
	return sized(fd, size);
}

int file_reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	check(again >= 0);
	return again;
}

mshare_t region_reopen(mshare_t r, int flags)
{
	int fd = file_reopen(mshare_fd(r), flags);
	mshare_t again = mshare_from_fd(fd, NULL);

	check(again);
	close(fd);
	return again;
}

static uint64_t pattern(size_t offset, uint64_t salt)
{
	return ((uint64_t)offset + 1) * 0x9e3779b97f4a7c15u ^ salt;
}

void bytes_fill(void *p, size_t len, uint64_t salt)
{
	uint64_t *words = p;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		words[i] = pattern(i * sizeof(*words), salt);
}

void bytes_check(const void *p, size_t len, uint64_t salt)
{
	const uint64_t *words = p;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		if (words[i] != pattern(i * sizeof(*words), salt))
			check_equal(words[i], pattern(i * sizeof(*words), salt));
}

void bytes_check_zero(const void *p, size_t len)
{
	const unsigned char *bytes = p;

	if (len == 0)
		return;
	check_equal(bytes[0], 0);
	check(memcmp(bytes, bytes + 1, len - 1) == 0);
}
