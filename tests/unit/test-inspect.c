/* SPDX-License-Identifier: MIT */
/* What is read out of /proc, from texts as the kernel writes them (fopen and opendir are ours). */
#include "inspect.h"
#include "mock-sys.h"
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define PRESENT ((uint64_t)1 << 63)
#define BASE 4096
#define PMD (2 * MIB)
#define AT ((uintptr_t)0x7f0000000000)

static const char *const no_entries[] = { NULL };
static struct {
	const char *const *entries; /* of /proc; NULL: it cannot be opened */
	size_t next;
	const char *smaps;
} proc;

FILE *__wrap_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	const char *text = strcmp(path, "/proc/self/smaps") == 0 ? proc.smaps : NULL;
	char file[4096];

	if (!text && sys_read_file(path, file, sizeof(file)) > 0) {
		FILE *stream = tmpfile();

		fputs(file, stream);
		rewind(stream);
		return stream;
	}
	errno = ENOENT;
	return text ? fmemopen((char *)(uintptr_t)text, strlen(text), mode[0] == 'r' ? "r" : "w")
		    : NULL;
}

DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	assert_string_equal(path, "/proc");
	proc.next = 0;
	return proc.entries ? (DIR *)&proc : NULL;
}

struct dirent *__wrap_readdir64(DIR *dir);
struct dirent *__wrap_readdir64(DIR *dir)
{
	static struct dirent entry;

	assert_ptr_equal(dir, &proc);
	if (!proc.entries[proc.next])
		return NULL;
	snprintf(entry.d_name, sizeof(entry.d_name), "%s", proc.entries[proc.next++]);
	return &entry;
}

int __wrap_closedir(DIR *dir);
int __wrap_closedir(DIR *dir)
{
	assert_ptr_equal(dir, &proc);
	return 0;
}

static int setup(void **state)
{
	proc.entries = no_entries;
	proc.smaps = "";
	return mock_setup(state);
}

/* The pagemap of [AT, AT + pages), of which [first, first + count) is present. */
static void expect_pagemap(size_t pages, size_t first, size_t count)
{
	uint64_t entries[1024];

	mock_expect(9, "open(/proc/self/pagemap, *)");
	for (size_t done = 0; done < pages; done += 1024) {
		size_t part = pages - done < 1024 ? pages - done : 1024;

		for (size_t i = 0; i < part; i++)
			entries[i] =
				done + i >= first && done + i < first + count ? PRESENT | i : 0;
		mock_expect((long)(part * 8), "pread(9, %zu, %llu)", part * 8,
			    (unsigned long long)(AT / BASE + done) * 8);
		mock_gives(entries, part * 8);
	}
	mock_expect(0, "close(9)");
}

static const struct inspect_range one_pmd = { (void *)AT, PMD, 0, false };

static void assert_tables(size_t len, uint64_t hugetlb, uint64_t tables, uint64_t huge)
{
	uint64_t table_bytes = 1000;
	uint64_t huge_bytes = 2000;
	const struct inspect_range range = { (void *)AT, len, hugetlb, false };

	assert_int_equal(inspect_tables(&range, &table_bytes, &huge_bytes), 0);
	assert_int_equal(table_bytes - 1000, tables);
	assert_int_equal(huge_bytes - 2000, huge);
	mock_verify();
}

static void nothing_touched(void **state)
{
	(void)state;
	expect_pagemap(512, 0, 0);
	assert_tables(PMD, 0, 0, 0);
}

static void base_pages(void **state)
{
	(void)state;
	expect_pagemap(512, 3, 1);
	assert_tables(PMD, 0, 2 * BASE, 0);
	expect_pagemap(2048, 0, 2048);
	assert_tables(4 * PMD, 0, 5 * BASE, 0);
	expect_pagemap(2048, 511, 2);
	assert_tables(4 * PMD, 0, 3 * BASE, 0);
}

static void transparent_huge_pages(void **state)
{
	(void)state;
	proc.smaps = "7f0000000000-7f0000400000 rw-s 00000000 00:01 5 /memfd:x\n"
		     "Size: 4096 kB\nShmemPmdMapped:     2048 kB\nFilePmdMapped: 0 kB\n";
	expect_pagemap(1024, 0, 513);
	assert_tables(2 * PMD, 0, 2 * BASE, PMD);
}

/* The neighbour's huge pages stand in the same paragraph, because the kernel merged the two. */
static void merged_with_a_neighbour(void **state)
{
	(void)state;
	proc.smaps = "7f0000000000-7f0000400000 rw-s 00000000 00:01 5 /memfd:x\n"
		     "ShmemPmdMapped:     2048 kB\n";
	expect_pagemap(512, 0, 0);
	assert_tables(PMD, 0, 0, 0);
}

static void others_are_not_counted(void **state)
{
	(void)state;
	proc.smaps = "7effffe00000-7f0000000000 rw-s 00000000 00:01 5 /memfd:x\n"
		     "ShmemPmdMapped:     2048 kB\n"
		     "7f0000000000-7f0000200000 rw-s 00000000 00:01 6 /memfd:y\n"
		     "ShmemPmdMapped:        0 kB\n"
		     "7f0000200000-7f0000400000 rw-s 00000000 00:01 7 /memfd:z\n"
		     "ShmemPmdMapped:     2048 kB\n";
	expect_pagemap(512, 0, 512);
	assert_tables(PMD, 0, 2 * BASE, 0);
}

/* One PMD table of the process or of all; no PTE table ever. */
static void hugetlb_pages(void **state)
{
	(void)state;
	expect_pagemap(1024, 0, 1024);
	assert_tables(2 * PMD, PMD, BASE, 2 * PMD);
	expect_pagemap(1024, 0, 0);
	assert_tables(2 * PMD, PMD, 0, 0);
}

/* Of a process attached to a host's tables: its own is what points to them. */
static void tables_of_another_process(void **state)
{
	const struct inspect_range range = { (void *)AT, 2 * PMD, 0, true };
	uint64_t tables = 0;
	uint64_t huge = 0;

	(void)state;
	expect_pagemap(1024, 0, 1024);
	assert_int_equal(inspect_tables(&range, &tables, &huge), 0);
	assert_int_equal(tables, BASE);
	assert_int_equal(huge, 0);
}

static void proc_is_missing(void **state)
{
	uint64_t tables = 0;
	uint64_t huge = 0;

	(void)state;
	mock_expect(-ENOENT, "open(/proc/self/pagemap, *)");
	assert_int_equal(inspect_tables(&one_pmd, &tables, &huge), -ENOENT);
	proc.smaps = NULL;
	expect_pagemap(512, 0, 1);
	assert_int_equal(inspect_tables(&one_pmd, &tables, &huge), -ENOENT);
	assert_int_equal(tables + huge, 0);
}

static void pagemap_fails(void **state)
{
	static const int results[] = { 0, -EIO, -EPERM };
	uint64_t tables = 0;
	uint64_t huge = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		mock_expect(9, "open(/proc/self/pagemap, *)");
		mock_expect(results[i], "pread(9, *)");
		mock_expect(0, "close(9)");
		assert_int_equal(inspect_tables(&one_pmd, &tables, &huge),
				 results[i] ? results[i] : -EIO);
		mock_verify();
	}
	assert_int_equal(tables + huge, 0);
}

/* In two pieces, as a kernel may answer. */
static void pagemap_answers_in_part(void **state)
{
	uint64_t entries[512] = { [511] = PRESENT };

	(void)state;
	mock_expect(9, "open(/proc/self/pagemap, *)");
	mock_expect(800, "pread(9, 4096, *)");
	mock_gives(entries, 800);
	mock_expect(412 * 8, "pread(9, 3296, %llu)", (unsigned long long)(AT / BASE + 100) * 8);
	mock_gives(entries + 100, 412 * 8);
	mock_expect(0, "close(9)");
	assert_tables(PMD, 0, 2 * BASE, 0);
}

#define LINE(dev, inode) "7f00-7f01 rw-s 00000000 " dev " " inode "   /dev/shm/x\n"

static void attachers_are_processes(void **state)
{
	static const char *const entries[] = { ".",   "..", "self", "sys", "1",	 "22",
					       "333", "44", "55",   "66",  "77", NULL };

	(void)state;
	proc.entries = entries;
	mock_file("/proc/1/maps", "560000-560001 r-xp 00000000 fe:01 77 /bin/sh\n");
	mock_file("/proc/22/maps", LINE("00:1a", "77") LINE("00:1a", "77"));
	mock_file("/proc/333/maps", "5600-5601 rw-p 00000000 00:00 0\n" LINE("00:1a", "77"));
	mock_file("/proc/44/maps", LINE("00:1a", "777") LINE("00:1b", "77") LINE("01:1a", "77"));
	mock_file("/proc/55/maps", LINE("00:1a", "77"));
	mock_file("/proc/55/comm", "mshare-host\n");
	mock_file("/proc/77/maps", LINE("00:1a", "77"));
	mock_file("/proc/77/comm", "mshare-hosted\n");
	mock_file("/proc/self/maps", LINE("00:1a", "77"));
	assert_int_equal(inspect_attachers(makedev(0, 0x1a), 77), 3);
	assert_int_equal(inspect_attachers(makedev(0, 0x1a), 7), 0);
}

#define LINKED(dev, inode)                                                                         \
	"7f00-7f01 rw-s 00000000 00:0d 1034   anon_inode:[mshare] " dev " " inode "\n"

/* The kernel module's mappings name the file they stand for. */
static void attachers_by_the_module(void **state)
{
	static const char *const entries[] = { "22", "33", "44", "55", NULL };

	(void)state;
	proc.entries = entries;
	mock_file("/proc/22/maps", LINKED("00:1a", "77"));
	mock_file("/proc/33/maps", LINKED("00:1a", "7") LINKED("00:1b", "77"));
	mock_file("/proc/44/maps", LINE("00:1a", "77"));
	mock_file("/proc/55/maps", LINE("00:1a", "77"));
	mock_file("/proc/55/comm", "mshare-host\n");
	assert_int_equal(inspect_attachers(makedev(0, 0x1a), 77), 2);
	assert_int_equal(inspect_attachers(makedev(0, 0x0d), 1034), 0);
}

static void attachers_without_proc(void **state)
{
	(void)state;
	proc.entries = NULL;
	assert_int_equal(inspect_attachers(1, 1), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, mock_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_touched),
		TEST(base_pages),
		TEST(transparent_huge_pages),
		TEST(merged_with_a_neighbour),
		TEST(others_are_not_counted),
		TEST(hugetlb_pages),
		TEST(tables_of_another_process),
		TEST(proc_is_missing),
		TEST(pagemap_fails),
		TEST(pagemap_answers_in_part),
		TEST(attachers_are_processes),
		TEST(attachers_by_the_module),
		TEST(attachers_without_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
