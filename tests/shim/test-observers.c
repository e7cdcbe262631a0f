/* SPDX-License-Identifier: MIT */
/* What looks at an attached process: core dumps, smaps, pagemap; and clear_refs, which changes it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)

static void be_dumped(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const struct scene *s = arg;

	pages_check(s->at, SIZE, SCENE_SALT);
	setrlimit(RLIMIT_CORE, &all);
	write_text("/proc/self/coredump_filter", "0x7f");
	abort();
}

/* The place of the region in the dump is where its first two words are, a page apart. */
static bool contains_region(const char *path, const char *region)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *core;
	bool found = false;

	check(fd >= 0 && fstat(fd, &st) == 0);
	core = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	check(core != MAP_FAILED);
	for (size_t off = 0; !found && off + SIZE <= (size_t)st.st_size; off += PAGE)
		found = !memcmp(core + off, region, SIZE);
	munmap((void *)core, (size_t)st.st_size);
	close(fd);
	return found;
}

static void test_core_dump(void **state)
{
	struct scene s = scene_make(SIZE);
	char path[64];
	int status;
	pid_t pid;

	(void)state;
	check_equal(write_text("/proc/sys/kernel/core_pattern", "/scratch/core.%p"), 0);
	pid = child_start(be_dumped, &s);
	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
	snprintf(path, sizeof(path), "/scratch/core.%d", pid);
	check(contains_region(path, s.at));
	check(unlink(path) == 0);
	check_equal(write_text("/proc/sys/kernel/core_pattern", "core"), 0);
	scene_end(&s);
}

static void test_smaps(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check_equal(proc_smaps_bytes(s.at, "Size"), SIZE);
	check(proc_smaps_bytes(s.at, "Rss") <= SIZE);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(proc_smaps_bytes(s.at, "Rss"), 0);
	scene_end(&s);
}

static uint64_t pagemap_entry(int fd, const void *at)
{
	uint64_t entry;

	check(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)at / PAGE * sizeof(entry))) ==
	      sizeof(entry));
	return entry;
}

#define PFN(entry) ((entry) & ((1ull << 55) - 1))
#define PRESENT(entry) ((entry) >> 63)

/* The same pages as those of the file. */
static void test_pagemap(void **state)
{
	struct scene s = scene_make(SIZE);
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	(void)state;
	check(fd >= 0);
	pages_check(plain, SIZE, SCENE_SALT);
	for (size_t off = 0; off < SIZE; off += 11 * PAGE) {
		uint64_t here = pagemap_entry(fd, s.at + off), there;

		there = pagemap_entry(fd, plain + off);
		check(PRESENT(here) && PRESENT(there));
		check(PFN(here) != 0);
		check_equal(PFN(here), PFN(there));
	}
	close(fd);
	munmap(plain, SIZE);
	scene_end(&s);
}

static void keep_verifying(void *arg)
{
	const struct scene *s = arg;

	for (;;) {
		pages_check(s->at, SIZE, SCENE_SALT);
		pages_fill(s->at, SIZE, SCENE_SALT);
	}
}

/* 1 to 3 referenced bits, 4 soft-dirty bits, 5 the peak of memory. */
static void test_clear_refs(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t pid = child_start(keep_verifying, &s);
	char path[64], what[] = "1";
	int status;

	(void)state;
	for (int i = 0; i < 50; i++) {
		what[0] = (char)('1' + i % 5);
		check_equal(write_text("/proc/self/clear_refs", what), 0);
		pages_check(s.at, SIZE, SCENE_SALT);
		snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
		check_equal(write_text(path, what), 0);
		snprintf(path, sizeof(path), "/proc/%d/clear_refs", s.host.pid);
		check_equal(write_text(path, what), 0);
		pages_fill(s.at, SIZE, SCENE_SALT);
	}
	check(waitpid(pid, &status, WNOHANG) == 0);
	child_kill(pid);
	scene_end(&s);
}

static void read_all(const char *path)
{
	char bytes[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
}

/* All that walks tables, while the host's are being taken away all the time. */
static void test_walks_under_invalidation(void **state)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "numa_maps", "status" };
	struct scene s = scene_make(SIZE);
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = s.fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SIZE,
	};
	pid_t pids[3];
	char path[64];
	int status;

	(void)state;
	for (int i = 0; i < 3; i++)
		pids[i] = child_start(keep_verifying, &s);
	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pids[i % 3], files[i % 4]);
		read_all(path);
		check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
		pages_check(s.at, SIZE, SCENE_SALT);
	}
	for (int i = 0; i < 3; i++) {
		check(waitpid(pids[i], &status, WNOHANG) == 0);
		child_kill(pids[i]);
	}
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_core_dump),
		cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_pagemap),
		cmocka_unit_test(test_clear_refs),
		cmocka_unit_test(test_walks_under_invalidation),
	};

	return SHIM_MAIN(cases);
}
