/* SPDX-License-Identifier: MIT */
/*
 * Huge pages of the host, which attached processes use by huge entries of their own: made by others
 * while pages are in use, split again, paged out, and written back to a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "verify.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define SIZE (32 * MIB)
#define ROUNDS 5
#define THP "/sys/kernel/mm/transparent_hugepage/"

/*
 * When an outsider collapses, Linux 6.1 leaves the tables of others alone: the host then maps the
 * huge pages by small entries until it asks for itself.
 */
static void become_huge(const struct mapping *own)
{
	for (size_t off = 0; off < own->size; off += SLOT) {
		(void)*(volatile char *)(own->at + off);
		check(madvise(own->at + off, SLOT, MADV_COLLAPSE) == 0);
	}
	check_equal(proc_smaps_bytes(own->at, "ShmemPmdMapped"), own->size);
}

/* One that is not the host collapses the host's pages, which frees the host's tables. */
static unsigned int collapse_all(const struct scene *s)
{
	char *outside = map_plain(s->fd, s->size, READ_WRITE);
	unsigned int collapsed = 0;

	pages_check(outside, s->size, SCENE_SALT); /* what is not mapped is not collapsed */
	for (size_t off = 0; off < s->size; off += SLOT)
		collapsed += madvise(outside + off, SLOT, MADV_COLLAPSE) == 0;
	munmap(outside, s->size);
	return collapsed;
}

/* Nobody else has mapped the pages by now: attached processes do not count. */
static void page_out_parts(const struct mapping *own)
{
	for (size_t off = 0; off < own->size; off += SLOT)
		check(madvise(own->at + off, PAGE, MADV_PAGEOUT) == 0);
}

static void page_out_all(const struct mapping *own)
{
	check(madvise(own->at, own->size, MADV_PAGEOUT) == 0);
}

static void collapse_and_split(const struct scene *s, const struct servant *host)
{
	unsigned int collapsed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		collapsed += collapse_all(s);
		pages_check(s->at, s->size, SCENE_SALT);
		servant_do(host, page_out_parts);
	}
	print_message("%u collapsed\n", collapsed);
	check(collapsed >= s->size / SLOT);
}

static void test_collapse_by_an_outsider(void **state)
{
	(void)state;
	swap_begin();
	under_verification(memory_file(SIZE), SIZE, collapse_and_split);
	swap_end();
}

/* Written through huge entries of attached processes, then paged out: nothing is lost. */
static void test_paged_out(void **state)
{
	struct servant host;
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &host);
	uint64_t out = counter("/proc/vmstat", "pswpout");

	(void)state;
	swap_begin();
	for (uint64_t i = 0; i < ROUNDS; i++) {
		check_equal(collapse_all(&s), SIZE / SLOT);
		servant_do(&host, become_huge);
		pages_check(s.at, SIZE, SCENE_SALT);
		pages_fill(s.at, SIZE, i);
		servant_do(&host, page_out_all);
		pages_check(s.at, SIZE, i);
		pages_fill(s.at, SIZE, SCENE_SALT);
	}
	out = counter("/proc/vmstat", "pswpout") - out;
	print_message("%llu pages out\n", (unsigned long long)out);
	check(out >= SIZE / PAGE);
	s.huge = true;
	servant_dismiss(&host);
	scene_end(&s);
	swap_end();
}

static void punch_all(const struct scene *s)
{
	for (size_t off = 5 * PAGE; off < s->size; off += SLOT) {
		check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
				PAGE) == 0);
		check_equal(*(uint64_t *)(void *)(s->at + off), 0);
	}
}

/* A hole in a huge page splits it everywhere. */
static void test_hole(void **state)
{
	struct servant host;
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &host);

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		check_equal(collapse_all(&s), SIZE / SLOT);
		servant_do(&host, become_huge);
		pages_check(s.at, SIZE, SCENE_SALT);
		check_equal(view_query(s.fd, READ_WRITE).tables, 0);
		check_equal(view_query(s.fd, READ_WRITE).entries, SIZE / SLOT);
		punch_all(&s);
		pages_fill(s.at, SIZE, SCENE_SALT);
	}
	servant_dismiss(&host);
	scene_end(&s);
}

/*
 * Twice: Linux 6.1 asks whether shmem's "advise" makes this process one for khugepaged before it
 * has set the flag, so it is the second call that registers it.
 */
static void advise_huge(const struct mapping *own)
{
	for (int i = 0; i < 2; i++)
		check(madvise(own->at, own->size, MADV_HUGEPAGE) == 0);
}

static void look_at_all(const struct mapping *own)
{
	pages_check(own->at, own->size, SCENE_SALT);
}

/* The kernel's own thread does the same, whenever it likes. */
static void let_khugepaged_work(const struct scene *s, const struct servant *host)
{
	uint64_t collapsed = number_in(THP "khugepaged/pages_collapsed");

	check_equal(write_text(THP "khugepaged/scan_sleep_millisecs", "10"), 0);
	check_equal(write_text(THP "shmem_enabled", "advise"), 0);
	servant_do(host, advise_huge);
	servant_do(host, look_at_all);
	check(COMES_TRUE(number_in(THP "khugepaged/pages_collapsed") >=
			 collapsed + s->size / SLOT));
	check_equal(write_text(THP "shmem_enabled", "never"), 0);
	check_equal(write_text(THP "khugepaged/scan_sleep_millisecs", "10000"), 0);
	pages_check(s->at, s->size, SCENE_SALT);
}

static void test_khugepaged(void **state)
{
	(void)state;
	under_verification(memory_file(SIZE), SIZE, let_khugepaged_work);
}

static void read_all(const struct scene *s)
{
	struct mshare_ctl_query query;

	for (size_t off = 0; off < s->size; off += SLOT)
		check_equal(*(volatile uint64_t *)(void *)(s->at + off), 0);
	query = view_query(s->fd, READ_WRITE);
	check_equal(query.entries, s->size / SLOT);
	print_message("%llu of %zu by tables\n", (unsigned long long)query.tables, s->size / SLOT);
	check(query.tables < s->size / SLOT / 2);
}

/*
 * Memory that was only read is clean, for the kernel to drop. Who writes to it then does so through
 * a huge entry of its own, and that alone tells that there is something to be kept.
 */
static void test_written_after_read(void **state)
{
	struct servant host;
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &host);

	(void)state;
	swap_begin();
	check_equal(write_text(THP "shmem_enabled", "advise"), 0);
	servant_do(&host,
		   deed_unmap); /* frees the tables, which would be used for huge pages too */
	check(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0);
	servant_do(&host, deed_restore);
	servant_do(&host, advise_huge);
	read_all(&s);
	pages_fill(s.at, SIZE, SCENE_SALT);
	servant_do(&host, page_out_all);
	pages_check(s.at, SIZE, SCENE_SALT);
	check_equal(write_text(THP "shmem_enabled", "never"), 0);
	s.huge = true;
	servant_dismiss(&host);
	scene_end(&s);
	swap_end();
}

#define DISK_SIZE (8 * MIB)
#define DISK_FILE "/scratch-xfs/huge"

/* What is on the disk, past the page cache. */
static void disk_check(uint64_t salt)
{
	int fd = open(DISK_FILE, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *buffer = aligned_alloc(PAGE, DISK_SIZE);

	check(fd >= 0 && buffer);
	check_equal(pread(fd, buffer, DISK_SIZE, 0), DISK_SIZE);
	pages_check(buffer, DISK_SIZE, salt);
	free(buffer);
	close(fd);
}

static bool *was_huge;

static void look_for_huge(const struct mapping *own)
{
	*was_huge |= proc_smaps_bytes(own->at, "FilePmdMapped") > 0;
}

/* The file comes back from the disk as huge pages. */
static void read_as_huge(const struct scene *s, const struct servant *host)
{
	servant_do(host, deed_unmap);
	check(fsync(s->fd) == 0);
	check(posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	servant_do(host, deed_restore);
	servant_do(host, advise_huge);
}

/*
 * Written again after it has been written back: the kernel has to hear of that though the entry is
 * the attached process's own copy.
 */
static void test_written_back(void **state)
{
	int fd = open(DISK_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct servant host;
	struct scene s;

	(void)state;
	was_huge = shared_memory(PAGE);
	check(fd >= 0 && ftruncate(fd, DISK_SIZE) == 0);
	s = scene_make_served(fd, DISK_SIZE, &host);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		read_as_huge(&s, &host);
		for (uint64_t salt = 3 * i; salt < 3 * (i + 1); salt++) {
			pages_fill(s.at, DISK_SIZE, salt);
			servant_do(&host, look_for_huge);
			check(fsync(fd) == 0);
			disk_check(salt);
		}
	}
	check(*was_huge);
	pages_fill(s.at, DISK_SIZE, SCENE_SALT);
	servant_dismiss(&host);
	s.huge = true;
	scene_end(&s);
	unlink(DISK_FILE);
	munmap(was_huge, PAGE);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_collapse_by_an_outsider),
		cmocka_unit_test(test_paged_out),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_khugepaged),
		cmocka_unit_test(test_written_after_read),
		cmocka_unit_test(test_written_back),
	};

	return SHIM_MAIN(cases);
}
