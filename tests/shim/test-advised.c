/* SPDX-License-Identifier: MIT */
/*
 * What becomes of mshare_advise(): of the pages of a region that is attached for writing and for
 * reading, so that the host has each of them mapped twice.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk.h"
#include "hosts.h"
#include "verify.h"
#include "view.h"

#define SIZE (16 * MIB)
#define PAGES (SIZE / PAGE)
/* The kernel passes over pages that lie in a processor's batch for its lists. */
#define FEW 128
#define SALT 8

struct region {
	mshare_t r;
	char *writer, *reader;
};

/* What smaps says of the region's mappings in the host. */
struct seen {
	size_t mappings;
	uint64_t rss, referenced; /* bytes */
	uint64_t huge, base; /* with MADV_HUGEPAGE, with MADV_NOHUGEPAGE */
};

static pid_t host_pid;

static void note(pid_t pid)
{
	host_pid = pid;
}

/* The size of the file's mapping that begins with this line; 0 if it is another's. */
static uint64_t size_of_mapping(const char *header, const struct stat *file)
{
	unsigned int major, minor;
	unsigned long long start, end, ino;

	if (sscanf(header, "%llx-%llx %*s %*x %x:%x %llu", &start, &end, &major, &minor, &ino) != 5)
		return 0;
	return makedev(major, minor) == file->st_dev && ino == file->st_ino ? end - start : 0;
}

static bool is_header(const char *line)
{
	return strspn(line, "0123456789abcdef-") == strcspn(line, " ");
}

static void add_field(struct seen *seen, uint64_t size, const char *line)
{
	unsigned long long kib;

	if (sscanf(line, "Rss: %llu kB", &kib) == 1)
		seen->rss += kib * KIB;
	if (sscanf(line, "Referenced: %llu kB", &kib) == 1)
		seen->referenced += kib * KIB;
	if (strncmp(line, "VmFlags:", 8) == 0) {
		seen->huge += strstr(line, " hg") ? size : 0;
		seen->base += strstr(line, " nh") ? size : 0;
	}
}

static struct seen look(mshare_t r)
{
	const struct stat file = region_file(r);
	struct seen seen = { 0 };
	char path[64], line[512];
	uint64_t size = 0;
	FILE *smaps;

	check_equal(hosts(note), 1);
	snprintf(path, sizeof(path), "/proc/%d/smaps", host_pid);
	smaps = fopen(path, "re");
	check(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (is_header(line)) {
			size = size_of_mapping(line, &file);
			seen.mappings += size > 0;
		} else if (size) {
			add_field(&seen, size, line);
		}
	}
	fclose(smaps);
	return seen;
}

static void read_both(const struct region *region)
{
	bytes_check(region->writer, SIZE, SALT);
	bytes_check(region->reader, SIZE, SALT);
}

/* All of it in memory, clean, mapped by the host in both views, and just used through both. */
static struct region region_read(mshare_t r)
{
	struct region region = { .r = r };
	struct seen seen;

	check(r);
	region.writer = region_attach_all(r);
	region.reader = mshare_attach(r, NULL, 0, SIZE, READ_ONLY, 0);
	check(region.reader != MAP_FAILED);
	is_shared(r);
	bytes_fill(region.writer, SIZE, SALT);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	read_both(&region);
	seen = look(r);
	check_equal(seen.mappings, 2);
	check_equal(seen.rss, 2 * SIZE);
	check_equal(seen.referenced, 2 * SIZE);
	check_equal(cached_pages(mshare_fd(r), SIZE), PAGES);
	return region;
}

static void all_leave(const struct region *region)
{
	check(mshare_detach(region->r, region->reader, SIZE) == 0);
	check(mshare_detach(region->r, region->writer, SIZE) == 0);
	region_end(region->r);
	nobody_hosts();
}

static mshare_t region_of_disk(char *path, const char *directory)
{
	int fd = disk_file_in(directory, SIZE, path);
	mshare_t r = mshare_from_fd(fd, NULL);

	close(fd);
	return r;
}

static void page_out(const struct region *region)
{
	size_t left;

	check(mshare_advise(region->r, 0, 0, MSHARE_ADVICE_PAGEOUT) == 0);
	left = cached_pages(mshare_fd(region->r), SIZE);
	print_message("%zu of %zu pages stayed\n", left, PAGES);
	check(left <= FEW);
}

static void is_back(const struct region *region)
{
	read_both(region);
	check_equal(cached_pages(mshare_fd(region->r), SIZE), PAGES);
}

/* Nobody touches it. */
static void read_ahead(const struct region *region)
{
	check(mshare_advise(region->r, 0, 0, MSHARE_ADVICE_WILLNEED) == 0);
	check(COMES_TRUE(cached_pages(mshare_fd(region->r), SIZE) == PAGES));
}

static void leaves_and_returns(void *directory)
{
	char path[DISK_PATH_SIZE];
	struct region region = region_read(region_of_disk(path, directory));

	page_out(&region);
	is_back(&region);
	page_out(&region);
	read_ahead(&region);
	is_back(&region);
	all_leave(&region);
	check(unlink(path) == 0);
}

static void write_at(int fd, off_t off)
{
	static char piece[MIB];

	memset(piece, SALT, sizeof(piece));
	check(pwrite(fd, piece, sizeof(piece), off) == sizeof(piece));
}

/* Memory is not filled with zero pages, and the descriptor's offset is left alone. */
static void holes_are_not_read(void *arg)
{
	char path[DISK_PATH_SIZE];
	int fd = disk_file_in("/scratch", SIZE, path);
	mshare_t r = mshare_from_fd(fd, NULL);

	(void)arg;
	write_at(fd, 0);
	write_at(fd, SIZE - MIB);
	check(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	check_equal(cached_pages(fd, SIZE), 0);
	check(r && mshare_advise(r, 0, 0, MSHARE_ADVICE_WILLNEED) == 0);
	check(COMES_TRUE(cached_pages(fd, SIZE) == 2 * MIB / PAGE));
	check_equal(lseek(fd, 0, SEEK_CUR), 0);
	region_end(r);
	close(fd);
	check(unlink(path) == 0);
}

/* What is only in memory must not be lost; it goes when it has been written back. */
static void dirty_file_stays(void *arg)
{
	char path[DISK_PATH_SIZE];
	struct region region = region_read(region_of_disk(path, "/scratch"));

	(void)arg;
	bytes_fill(region.writer, SIZE, SALT + 1);
	bytes_check(region.reader, SIZE, SALT + 1);
	check(mshare_advise(region.r, 0, 0, MSHARE_ADVICE_PAGEOUT) == 0);
	bytes_check(region.reader, SIZE, SALT + 1);
	bytes_fill(region.writer, SIZE, SALT);
	check(mshare_flush(region.r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	read_both(&region);
	page_out(&region);
	is_back(&region);
	all_leave(&region);
	check(unlink(path) == 0);
}

static void memory_leaves_and_returns(void *arg)
{
	uint64_t out = counter("/proc/vmstat", "pswpout");
	struct region region = region_read(region_make(SIZE));

	(void)arg;
	page_out(&region);
	check(counter("/proc/vmstat", "pswpout") - out >= PAGES - FEW);
	is_back(&region);
	page_out(&region);
	read_ahead(&region);
	is_back(&region);
	all_leave(&region);
}

/* By read(2), so often that it comes to the active list where there is one. */
static void make_active(int fd)
{
	static char piece[64 * KIB];

	for (int i = 0; i < 3; i++)
		for (size_t off = 0; off < SIZE; off += sizeof(piece))
			check(pread(fd, piece, sizeof(piece), (off_t)off) == sizeof(piece));
}

/* No view has used it, and it is where reclaim begins. */
static void cold(void *arg)
{
	char path[DISK_PATH_SIZE];
	struct region region = region_read(region_of_disk(path, "/scratch"));
	uint64_t moved, referenced;

	(void)arg;
	make_active(mshare_fd(region.r));
	moved = counter("/proc/vmstat", "pgdeactivate");
	check(mshare_advise(region.r, 0, 0, MSHARE_ADVICE_COLD) == 0);
	moved = counter("/proc/vmstat", "pgdeactivate") - moved;
	referenced = look(region.r).referenced / PAGE;
	print_message("%llu pages deactivated, %llu used\n", (unsigned long long)moved,
		      (unsigned long long)referenced);
	check(moved >= PAGES - FEW && referenced <= FEW);
	is_back(&region);
	all_leave(&region);
	check(unlink(path) == 0);
}

/* Bytes of both views. */
static void views_become(const struct region *region, int advice, uint64_t huge, uint64_t base)
{
	struct seen seen;

	check(mshare_advise(region->r, 0, 0, advice) == 0);
	seen = look(region->r);
	check_equal(seen.huge, huge);
	check_equal(seen.base, base);
	read_both(region);
}

static void size_of_pages(void *arg)
{
	struct region region = region_read(region_make(SIZE));

	(void)arg;
	views_become(&region, MSHARE_ADVICE_NOHUGEPAGE, 0, 2 * SIZE);
	views_become(&region, MSHARE_ADVICE_HUGEPAGE, 2 * SIZE, 0);
	views_become(&region, MSHARE_ADVICE_NOHUGEPAGE, 0, 2 * SIZE);
	all_leave(&region);
}

/* In a process of its own: what fails there leaves no host to the next. */
static void apart(child_body *body, void *arg)
{
	nobody_hosts();
	child_run(body, arg);
}

/* Linux 6.1 splits large pages of files, which unmaps them, and then finds none to page out. */
static bool kernel_pages_out(const char *directory)
{
	char path[DISK_PATH_SIZE];
	int fd = disk_file_in(directory, SIZE, path);
	char *plain = map_plain(fd, SIZE, READ_WRITE);
	size_t left;

	bytes_fill(plain, SIZE, SALT);
	check(fsync(fd) == 0);
	bytes_check(plain, SIZE, SALT);
	check(madvise(plain, SIZE, MADV_PAGEOUT) == 0);
	munmap(plain, SIZE);
	left = cached_pages(fd, SIZE);
	print_message("%zu of %zu pages of a file nobody shares stayed\n", left, PAGES);
	close(fd);
	check(unlink(path) == 0);
	return left <= FEW;
}

static void test_file(void **state)
{
	(void)state;
	apart(leaves_and_returns, "/scratch");
}

static void test_file_of_large_pages(void **state)
{
	(void)state;
	if (kernel_pages_out("/scratch-xfs"))
		apart(leaves_and_returns, "/scratch-xfs");
}

static void test_holes(void **state)
{
	(void)state;
	apart(holes_are_not_read, NULL);
}

static void test_dirty_file(void **state)
{
	(void)state;
	apart(dirty_file_stays, NULL);
}

static void test_memory(void **state)
{
	(void)state;
	swap_begin();
	apart(memory_leaves_and_returns, NULL);
	swap_end();
}

static void test_cold(void **state)
{
	(void)state;
	apart(cold, NULL);
}

static void test_size_of_pages(void **state)
{
	(void)state;
	apart(size_of_pages, NULL);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_file),	      cmocka_unit_test(test_file_of_large_pages),
		cmocka_unit_test(test_holes),	      cmocka_unit_test(test_dirty_file),
		cmocka_unit_test(test_memory),	      cmocka_unit_test(test_cold),
		cmocka_unit_test(test_size_of_pages),
	};

	return HOSTS_MAIN(cases);
}
