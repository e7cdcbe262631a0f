/* SPDX-License-Identifier: MIT */
/*
 * What the kernel keeps of each page and entry: which page it is, how often it is mapped, whether
 * it was written to. All of it is the host's, and attached processes see it. clear_refs changes it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define STEP (11 * PAGE)

#define PFN(entry) ((entry) & ((1ull << 55) - 1))
#define SOFT_DIRTY(entry) ((entry) >> 55 & 1)
#define PRESENT(entry) ((entry) >> 63)
/* Of /proc/kpageflags */
#define UPTODATE (1ull << 3)
#define DIRTY (1ull << 4)
#define MMAP (1ull << 11)
#define SWAPBACKED (1ull << 14)

static uint64_t word_of(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t word;

	check(fd >= 0);
	check(pread(fd, &word, sizeof(word), (off_t)(index * sizeof(word))) == sizeof(word));
	close(fd);
	return word;
}

static uint64_t pagemap(const void *at)
{
	return word_of("/proc/self/pagemap", (uintptr_t)at / PAGE);
}

/* The same pages as those of the file. */
static void test_pagemap(void **state)
{
	struct scene s = scene_make(SIZE);
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);

	(void)state;
	pages_check(plain, SIZE, SCENE_SALT);
	for (size_t off = 0; off < SIZE; off += STEP) {
		uint64_t here = pagemap(s.at + off), there = pagemap(plain + off);

		check(PRESENT(here) && PRESENT(there));
		check(PFN(here) != 0);
		check_equal(PFN(here), PFN(there));
	}
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check(!PRESENT(pagemap(s.at)) && PRESENT(pagemap(plain)));
	munmap(plain, SIZE);
	scene_end(&s);
}

static void verify_and_stay(void *arg)
{
	const struct scene *s = arg;

	pages_check(s->at, SIZE, SCENE_SALT);
	raise(SIGSTOP);
}

/* Mapped by the host alone, however many are attached. */
static void test_kpagecount(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t pid = child_start(verify_and_stay, &s);
	char *plain;
	int status;

	(void)state;
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	pages_check(s.at, SIZE, SCENE_SALT);
	check_equal(view_query(s.fd, READ_WRITE).entries, 2 * SIZE / SLOT);
	for (size_t off = 0; off < SIZE; off += STEP)
		check_equal(word_of("/proc/kpagecount", PFN(pagemap(s.at + off))), 1);
	plain = map_plain(s.fd, SIZE, READ_WRITE);
	pages_check(plain, SIZE, SCENE_SALT);
	for (size_t off = 0; off < SIZE; off += STEP)
		check_equal(word_of("/proc/kpagecount", PFN(pagemap(s.at + off))), 2);
	munmap(plain, SIZE);
	child_kill(pid);
	scene_end(&s);
}

static void test_kpageflags(void **state)
{
	const uint64_t wanted = UPTODATE | DIRTY | MMAP | SWAPBACKED;
	struct scene s = scene_make(SIZE);

	(void)state;
	pages_check(s.at, SIZE, SCENE_SALT);
	for (size_t off = 0; off < SIZE; off += STEP)
		check_equal(word_of("/proc/kpageflags", PFN(pagemap(s.at + off))) & wanted, wanted);
	scene_end(&s);
}

static size_t soft_dirty_pages(const struct scene *s)
{
	size_t count = 0;

	pages_check(s->at, SIZE, SCENE_SALT);
	for (size_t off = 0; off < SIZE; off += PAGE)
		count += SOFT_DIRTY(pagemap(s->at + off));
	return count;
}

static void clear_refs(pid_t pid, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", pid);
	check_equal(write_text(path, what), 0);
}

/* The marks are those of the host's entries, which only clearing the host's takes away. */
static void test_soft_dirty(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check_equal(soft_dirty_pages(&s), SIZE / PAGE);
	clear_refs(getpid(), "4");
	check_equal(soft_dirty_pages(&s), SIZE / PAGE);
	for (size_t off = 0; off < SIZE; off += 500 * PAGE) {
		uint64_t *word = (uint64_t *)(void *)(s.at + off), before = *word;

		clear_refs(s.host.pid, "4");
		check_equal(soft_dirty_pages(&s), 0);
		*word = 0;
		*word = before;
		check_equal(soft_dirty_pages(&s), 1);
		check(SOFT_DIRTY(pagemap(word)));
	}
	scene_end(&s);
}

/* 1 to 3 referenced bits, 4 soft-dirty bits, 5 the peak of memory. */
static void test_clear_refs(void **state)
{
	struct scene s = scene_make(SIZE);
	pid_t pid = child_start(scene_verify_on_and_on, &s);
	char what[] = "1";

	(void)state;
	for (int i = 0; i < 50; i++) {
		what[0] = (char)('1' + i % 5);
		clear_refs(getpid(), what);
		pages_check(s.at, SIZE, SCENE_SALT);
		clear_refs(pid, what);
		clear_refs(s.host.pid, what);
		pages_fill(s.at, SIZE, SCENE_SALT);
	}
	child_kill_running(pid);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_pagemap),	   cmocka_unit_test(test_kpagecount),
		cmocka_unit_test(test_kpageflags), cmocka_unit_test(test_soft_dirty),
		cmocka_unit_test(test_clear_refs),
	};

	return SHIM_MAIN(cases);
}
