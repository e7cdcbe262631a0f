/* SPDX-License-Identifier: MIT */
#include "hugepool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align.h"
#include "hugelimit.h"
#include "log.h"

#define POOL_DIR "/sys/kernel/mm/hugepages/hugepages-%llukB"

static int read_count(uint64_t page_size, const char *file, uint64_t *out)
{
	char path[128];
	char text[32];
	ssize_t length;

	snprintf(path, sizeof(path), POOL_DIR "/%s", (unsigned long long)(page_size / KIB), file);
	length = sys_read_file(path, text, sizeof(text));
	if (length < 0)
		return (int)length;
	*out = strtoull(text, NULL, 10);
	return 0;
}

/* The kernel counts pages as free that are reserved for an object and not touched yet. */
int hugepool_read(uint64_t page_size, struct hugepool *out)
{
	uint64_t free_pages = 0;
	uint64_t reserved = 0;
	int err = read_count(page_size, "nr_hugepages", &out->total);

	if (!err)
		err = read_count(page_size, "free_hugepages", &free_pages);
	if (!err)
		err = read_count(page_size, "resv_hugepages", &reserved);
	out->available = free_pages > reserved ? free_pages - reserved : 0;
	return err;
}

/* The sysctl is about the default size, which the boot command line may have changed. */
static bool is_default_size(uint64_t page_size)
{
	static const char name[] = "Hugepagesize:";
	const size_t size = 8192; /* too much for a small stack */
	char *text = malloc(size);
	const char *line;
	bool is;

	if (!text || sys_read_file("/proc/meminfo", text, size) < 0) {
		is = page_size == page_sizes()->pmd;
	} else {
		line = strstr(text, name);
		is = line && strtoull(line + strlen(name), NULL, 10) == page_size / KIB;
	}
	free(text);
	return is;
}

/* Pages of PUD size are hard to find in memory that has been used: they are taken at boot. */
const char *hugepool_command(uint64_t page_size, uint64_t total, const char *sudo, char *out,
			     size_t out_size)
{
	unsigned long long pages = total;

	if (page_size >= page_sizes()->pud)
		snprintf(out, out_size, "boot with hugepagesz=%lluM hugepages=%llu",
			 (unsigned long long)(page_size / MIB), pages);
	else if (is_default_size(page_size))
		snprintf(out, out_size, "%ssysctl vm.nr_hugepages=%llu", sudo, pages);
	else
		snprintf(out, out_size, "echo %llu | %stee " POOL_DIR "/nr_hugepages", pages, sudo,
			 (unsigned long long)(page_size / KIB));
	return out;
}

void hugepool_sentence(uint64_t page_size, uint64_t need, char *out, size_t out_size)
{
	struct hugepool pool;
	char command[200];
	char file[128];
	char text[SIZE_TEXT];
	uint64_t left = hugelimit_left(page_size, file, sizeof(file)) / page_size;

	size_text(page_size, text);
	if (hugepool_read(page_size, &pool)) {
		snprintf(out, out_size, "this kernel has no pool of %s huge pages", text);
		return;
	}
	if (need > left)
		snprintf(command, sizeof(command), "the control group may use %llu more: %s",
			 (unsigned long long)left, file);
	else if (need > pool.available)
		hugepool_command(page_size, pool.total + need - pool.available, "", command,
				 sizeof(command));
	else
		snprintf(command, sizeof(command),
			 "a limit of the cgroup, RLIMIT_AS or RLIMIT_FSIZE forbids it");
	snprintf(out, out_size, "needs %llu huge page%s of %s, %llu %s free: %s",
		 (unsigned long long)need, need == 1 ? "" : "s", text,
		 (unsigned long long)pool.available, pool.available == 1 ? "is" : "are", command);
}
