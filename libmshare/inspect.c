/* SPDX-License-Identifier: MIT */
#include "inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "align.h"

#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define HELPER_NAME "mshare-host\n"

/* A mapping of the file, or, where the kernel module shares tables, one that names it. */
static bool line_maps(const char *line, dev_t dev, ino_t ino)
{
	unsigned int major_number;
	unsigned int minor_number;
	unsigned long inode;

	if (sscanf(line, "%*s %*s %*s %*s %*s anon_inode:[mshare] %x:%x %lu", &major_number,
		   &minor_number, &inode) != 3 &&
	    sscanf(line, "%*s %*s %*s %x:%x %lu", &major_number, &minor_number, &inode) != 3)
		return false;
	return inode == ino && major_number == major(dev) && minor_number == minor(dev);
}

static bool process_maps(const char *pid, dev_t dev, ino_t ino)
{
	char path[64];
	char *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!found && getline(&line, &size, maps) > 0)
		found = line_maps(line, dev, ino);
	free(line);
	fclose(maps);
	return found;
}

/* mshare-host maps a region for moments, and is not one of its users. */
static bool is_helper(const char *pid)
{
	char path[64];
	char name[32];

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	return sys_read_file(path, name, sizeof(name)) > 0 && !strcmp(name, HELPER_NAME);
}

long inspect_attachers(dev_t dev, ino_t ino)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	long count = 0;

	if (!proc)
		return -ENOENT;
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    process_maps(entry->d_name, dev, ino) && !is_helper(entry->d_name))
			count++;
	}
	closedir(proc);
	return count;
}

/* Bytes mapped by huge pages in the mappings that lie over [start, end); at most all of it. */
static int huge_mapped(uintptr_t start, uintptr_t end, uint64_t *huge)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool inside = false;
	char *line = NULL;
	size_t size = 0;

	if (!smaps)
		return -ENOENT;
	*huge = 0;
	while (getline(&line, &size, smaps) > 0) {
		unsigned long from;
		unsigned long to;
		unsigned long long kib;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from < end && to > start;
		else if (inside && (sscanf(line, "ShmemPmdMapped: %llu", &kib) == 1 ||
				    sscanf(line, "FilePmdMapped: %llu", &kib) == 1))
			*huge += kib * KIB;
	}
	free(line);
	fclose(smaps);
	if (*huge > end - start)
		*huge = end - start;
	return 0;
}

/* How many pieces of `unit` bytes have at least one page mapped. */
struct used {
	uint64_t unit;
	uint64_t count;
	uint64_t last; /* number of the piece counted last, plus one */
};

static void use(struct used *u, uintptr_t addr)
{
	uint64_t number = addr / u->unit + 1;

	if (u->last != number) {
		u->last = number;
		u->count++;
	}
}

static int count_used(uintptr_t start, uintptr_t end, struct used *pmds, struct used *puds)
{
	uint64_t entries[1024];
	uint64_t base = page_sizes()->base;
	cleanup_fd int fd = sys_open("/proc/self/pagemap", O_RDONLY, 0);

	if (fd < 0)
		return fd;
	while (start < end) {
		size_t want = (end - start) / base;
		ssize_t got;

		want = want < 1024 ? want : 1024;
		got = sys_pread(fd, entries, want * sizeof(entries[0]),
				(off_t)(start / base * sizeof(entries[0])));
		if (got <= 0)
			return got ? (int)got : -EIO;
		for (size_t i = 0; i < (size_t)got / sizeof(entries[0]); i++, start += base) {
			if (entries[i] & PAGEMAP_PRESENT) {
				use(pmds, start);
				use(puds, start);
			}
		}
	}
	return 0;
}

int inspect_tables(const struct inspect_range *range, uint64_t *table_bytes, uint64_t *huge_bytes)
{
	const struct page_sizes *sizes = page_sizes();
	uintptr_t start = (uintptr_t)range->addr;
	struct used pmds = { .unit = sizes->pmd };
	struct used puds = { .unit = sizes->pud };
	uint64_t huge = 0;
	int err = count_used(start, start + range->len, &pmds, &puds);

	if (!err && !range->hugetlb_page)
		err = huge_mapped(start, start + range->len, &huge);
	if (err)
		return err;
	/*
	 * The kernel merges neighbouring attachments, and counts the huge pages of both together.
	 */
	if (range->hugetlb_page || huge > pmds.count * sizes->pmd)
		huge = pmds.count * sizes->pmd;
	*huge_bytes += huge;
	/*
	 * A PMD table for every PUD range in use, unless one huge page fills it; a PTE table for
	 * every PMD range without, unless it is another process's.
	 */
	if (range->hugetlb_page < sizes->pud)
		*table_bytes += puds.count * sizes->base;
	if (!range->linked)
		*table_bytes += (pmds.count - huge / sizes->pmd) * sizes->base;
	return 0;
}
