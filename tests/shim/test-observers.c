/* SPDX-License-Identifier: MIT */
/* What looks at an attached process: its mappings and what they count, mincore(2). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)

/* The line of a file that begins with this address. */
static const char *line_of(const char *path, const char *at)
{
	static char line[512];
	FILE *file = fopen(path, "re");
	char address[32];
	bool found = false;

	check(file);
	snprintf(address, sizeof(address), "%lx", (unsigned long)at);
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, address, strlen(address)) == 0;
	fclose(file);
	check(found);
	return line;
}

static void check_maps_line(int fd, const char *at, const char *permissions)
{
	const char *line = line_of("/proc/self/maps", at);
	char name[128];
	struct stat st;

	check(fstat(fd, &st) == 0);
	snprintf(name, sizeof(name), " anon_inode:[mshare] %02x:%02x %lu\n", major(st.st_dev),
		 minor(st.st_dev), (unsigned long)st.st_ino);
	check(strstr(line, permissions) && strstr(line, name));
}

static void test_maps(void **state)
{
	struct scene s = scene_make(SIZE);
	struct host reader = host_start(s.fd, SIZE, READ_ONLY);
	char *at = attach(s.fd, SIZE, READ_ONLY);

	(void)state;
	check_maps_line(s.fd, s.at, " rw-s ");
	check_maps_line(s.fd, at, " r--s ");
	detach(at, SIZE);
	host_leaves(&reader);
	scene_end(&s);
}

/* Resident is what is linked, and counted as this process's own; the process's own sum has none. */
static void test_smaps(void **state)
{
	struct scene s = scene_make(SIZE);
	uint64_t resident;

	(void)state;
	check_equal(proc_smaps_bytes(s.at, "Size"), SIZE);
	pages_check(s.at, SIZE, SCENE_SALT);
	check_equal(proc_smaps_bytes(s.at, "Rss"), SIZE);
	check_equal(proc_smaps_bytes(s.at, "Pss"), SIZE);
	check(counter("/proc/self/smaps_rollup", "Rss") >= SIZE / KIB);
	resident = proc_status_bytes("RssShmem");
	check(resident < SIZE);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(proc_smaps_bytes(s.at, "Rss"), 0);
	check_equal(proc_status_bytes("RssShmem"), resident);
	scene_end(&s);
}

/* Pages on all nodes together. */
static size_t pages_on_nodes(const char *line)
{
	size_t sum = 0, pages;
	int node;

	for (line = strstr(line, " N"); line; line = strstr(line + 1, " N"))
		if (sscanf(line, " N%d=%zu", &node, &pages) == 2)
			sum += pages;
	return sum;
}

static void test_numa_maps(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	pages_check(s.at, SIZE, SCENE_SALT);
	check_equal(pages_on_nodes(line_of("/proc/self/numa_maps", s.at)), SIZE / PAGE);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(pages_on_nodes(line_of("/proc/self/numa_maps", s.at)), 0);
	scene_end(&s);
}

static size_t incore_pages(void *at)
{
	static unsigned char present[SIZE / PAGE];
	size_t count = 0;

	check(mincore(at, SIZE, present) == 0);
	for (size_t i = 0; i < SIZE / PAGE; i++)
		count += present[i] & 1;
	return count;
}

/* What is linked; that the file has more in memory is not to be seen here. */
static void test_mincore(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	pages_check(s.at, SIZE, SCENE_SALT);
	check_equal(incore_pages(s.at), SIZE / PAGE);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	check_equal(incore_pages(s.at), 0);
	(void)*(volatile char *)s.at;
	check_equal(incore_pages(s.at), SIZE / PAGE);
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

	(void)state;
	for (int i = 0; i < 3; i++)
		pids[i] = child_start(scene_verify_on_and_on, &s);
	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pids[i % 3], files[i % 4]);
		read_all(path);
		check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
		pages_check(s.at, SIZE, SCENE_SALT);
	}
	for (int i = 0; i < 3; i++)
		child_kill_running(pids[i]);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_numa_maps),
		cmocka_unit_test(test_mincore),
		cmocka_unit_test(test_walks_under_invalidation),
	};

	return SHIM_MAIN(cases);
}
