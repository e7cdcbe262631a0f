/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define LINE 4352

/* Calls see() for each mapping until it returns false. */
typedef bool mapping_visitor(const struct proc_mapping *m, void *arg);

static void each_mapping(mapping_visitor *see, void *arg)
{
	struct proc_mapping m;
	unsigned long long start, end, off, ino;
	unsigned int major, minor;
	char line[LINE];
	FILE *maps = fopen("/proc/self/maps", "re");

	check(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &start, &end, m.perms, &off,
			   &major, &minor, &ino) != 7)
			continue;
		/* A mapping of the kernel module is of its own inode, and names the file's. */
		sscanf(line, "%*s %*s %*s %*s %*s anon_inode:[mshare] %x:%x %llu", &major, &minor,
		       &ino);
		m.start = (uintptr_t)start;
		m.end = (uintptr_t)end;
		m.off = off;
		m.dev = makedev(major, minor);
		m.ino = (ino_t)ino;
		if (!see(&m, arg))
			break;
	}
	fclose(maps);
}

struct search {
	uintptr_t start;
	uintptr_t end;
	struct proc_mapping *found;
	bool any;
};

static bool overlaps(const struct proc_mapping *m, void *arg)
{
	struct search *search = arg;

	if (m->start >= search->end || m->end <= search->start)
		return true;
	*search->found = *m;
	search->any = true;
	return false;
}

bool proc_mapping_at(const void *addr, struct proc_mapping *m)
{
	struct search search = { (uintptr_t)addr, (uintptr_t)addr + 1, m, false };

	each_mapping(overlaps, &search);
	return search.any;
}

bool proc_mapped(const void *addr, size_t len)
{
	struct proc_mapping m;
	struct search search = { (uintptr_t)addr, (uintptr_t)addr + len, &m, false };

	each_mapping(overlaps, &search);
	return search.any;
}

struct tally {
	const struct stat *file; /* NULL: all files */
	bool anonymous_too;
	size_t count;
};

static bool count_mapping(const struct proc_mapping *m, void *arg)
{
	struct tally *tally = arg;
	const struct stat *file = tally->file;

	if (file)
		tally->count += m->ino == file->st_ino && m->dev == file->st_dev;
	else
		tally->count += m->ino != 0 || tally->anonymous_too;
	return true;
}

size_t proc_file_mappings(struct stat file)
{
	struct tally tally = { .file = &file };

	each_mapping(count_mapping, &tally);
	return tally.count;
}

static size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	check(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* Less the one that reads the directory. */
size_t proc_descriptors(void)
{
	return count_entries("/proc/self/fd") - 1;
}

static bool is_kernel_worker(const char *task)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", task);
	file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file))
		name[0] = '\0';
	if (file)
		fclose(file);
	return strncmp(name, "iou-wrk-", 8) == 0;
}

static size_t count_tasks(bool workers)
{
	DIR *dir = opendir("/proc/self/task");
	size_t count = 0;

	check(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		count += e->d_name[0] != '.' && is_kernel_worker(e->d_name) == workers;
	closedir(dir);
	return count;
}

size_t proc_threads(void)
{
	return count_tasks(false);
}

size_t proc_kernel_workers(void)
{
	return count_tasks(true);
}

struct proc_footprint proc_footprint(void)
{
	struct tally tally = { .anonymous_too = !SANITIZED };

	each_mapping(count_mapping, &tally);
	return (struct proc_footprint){ proc_descriptors(), tally.count };
}

void proc_check_footprint(const struct proc_footprint *before, const char *what)
{
	struct proc_footprint now = proc_footprint();

	if (now.descriptors != before->descriptors || now.mappings != before->mappings)
		fprintf(stderr, "after %s: %zu descriptors (were %zu), %zu mappings (were %zu)\n",
			what, now.descriptors, before->descriptors, now.mappings, before->mappings);
	check_equal(now.descriptors, before->descriptors);
	check_equal(now.mappings, before->mappings);
}

/* Bytes of a "Field:  123 kB" line, searched from the present position of the file. */
static uint64_t kilobyte_field(FILE *file, const char *field)
{
	char line[LINE];
	size_t n = strlen(field);

	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, n) == 0 && line[n] == ':')
			return strtoull(line + n + 1, NULL, 10) << 10;
	fprintf(stderr, "/proc has no field %s\n", field);
	check(false);
	return 0;
}

uint64_t proc_status_bytes(const char *field)
{
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t bytes;

	check(status);
	bytes = kilobyte_field(status, field);
	fclose(status);
	return bytes;
}

static bool skip_to_mapping(FILE *smaps, uintptr_t addr)
{
	unsigned long long start, end;
	char line[LINE];

	while (fgets(line, sizeof(line), smaps))
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2 && addr >= start && addr < end)
			return true;
	return false;
}

uint64_t proc_smaps_bytes(const void *addr, const char *field)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uint64_t bytes;

	check(smaps);
	check(skip_to_mapping(smaps, (uintptr_t)addr));
	bytes = kilobyte_field(smaps, field);
	fclose(smaps);
	return bytes;
}

/* A frame of the address sanitizer's own stack would be another page each time, and a fault. */
uninstrumented long proc_minor_faults(void)
{
	struct rusage usage;

	check(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}
