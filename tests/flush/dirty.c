/* SPDX-License-Identifier: MIT */
#include "dirty.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static _Noreturn void give_up(const char *what)
{
	perror(what);
	abort();
}

static bool is_in_memory(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs) != 0)
		return true;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
}

static int nameless_file(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/mshare-flush-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		give_up(path);
	unlink(path);
	return fd;
}

int disk_file(uint64_t size)
{
	const char *dirs[] = { getenv("MSHARE_TEST_DISK"), ".", "/var/tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd;

		if (!dirs[i] || is_in_memory(dirs[i]))
			continue;
		fd = nameless_file(dirs[i]);
		if (ftruncate(fd, (off_t)size) != 0)
			give_up("ftruncate");
		return fd;
	}
	printf("skipped: no directory on a disk; set MSHARE_TEST_DISK\n");
	exit(77);
}

int reopen_read_only(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		give_up(path);
	return again;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

struct page_view view_open(int fd, uint64_t off)
{
	size_t page = page_size();
	uint64_t in_page = off % page;
	char *area = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map;

	if (area == MAP_FAILED)
		give_up("mmap");
	map = mmap(area + page, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		   (off_t)(off - in_page));
	if (map == MAP_FAILED)
		give_up("mmap");
	return (struct page_view){ .byte = map + in_page, .area = area };
}

void view_close(struct page_view *view)
{
	munmap(view->area, 3 * page_size());
}

void view_store(struct page_view *view)
{
	*view->byte = (char)(*view->byte + 1);
}

/* Kilobytes called dirty in the smaps record of the mapping that starts at addr. */
static unsigned long smaps_dirty(const void *addr)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kb, sum = 0;
	bool ours = false;
	bool found = false;
	char line[4608];

	if (!smaps)
		give_up("/proc/self/smaps");
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			found |= ours = start == (unsigned long)addr;
		else if (ours && (sscanf(line, "Shared_Dirty: %lu", &kb) == 1 ||
				  sscanf(line, "Private_Dirty: %lu", &kb) == 1))
			sum += kb;
	}
	fclose(smaps);
	if (!found)
		give_up("no such mapping in /proc/self/smaps");
	return sum;
}

bool view_is_dirty(const struct page_view *view)
{
	(void)*view->byte; /* only present pages are counted */
	return smaps_dirty(view->area + page_size()) > 0;
}

long unwritten_pages(int fd, uint64_t off, uint64_t len)
{
	struct {
		uint64_t off, len;
	} range = { off, len };
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} stat = { 0 };

	if (syscall(SYS_cachestat, fd, &range, &stat, 0) != 0)
		return -1;
	return (long)(stat.dirty + stat.writeback);
}

unsigned int count_shared_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned int shared = 0;
	char line[4608];
	char mode[5];

	if (!maps)
		give_up("/proc/self/maps");
	while (fgets(line, sizeof(line), maps))
		shared += sscanf(line, "%*x-%*x %4s", mode) == 1 && mode[3] == 's';
	fclose(maps);
	return shared;
}

unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int entries = 0;

	if (!dir)
		give_up("/proc/self/fd");
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries;
}
