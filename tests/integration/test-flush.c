/* SPDX-License-Identifier: MIT */
/* mshare_flush(): data reaches the file, discarded memory is given back for everybody. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static uint64_t dirty_bytes(const void *p)
{
	return proc_smaps_bytes(p, "Shared_Dirty") + proc_smaps_bytes(p, "Private_Dirty");
}

/* A region of a file on disk and the file; NULL where the backend takes no files. */
static mshare_t file_region(int *fd)
{
	mshare_t r;

	*fd = disk_file(REGION);
	r = mshare_from_fd(*fd, NULL);
	check(backend_takes_files() == (r != NULL));
	if (!r)
		close(*fd);
	return r;
}

static void of_a_regular_file(void **state)
{
	int fd;
	mshare_t r = file_region(&fd);
	char *p;

	(void)state;
	if (!r)
		return;
	p = region_attach_all(r);
	bytes_fill(p, REGION, 1);
	check(dirty_bytes(p) > 0);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check_equal(dirty_bytes(p), 0);
	check_equal(region_stat(r, 0).flushes, 1);
	/* Pages that are not dirty can be dropped: then the disk is asked. */
	check(mshare_detach(r, p, REGION) == 0);
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	p = region_attach_all(r);
	bytes_check(p, REGION, 1);
	region_end(r);
	close(fd);
}

static void of_a_part(void **state)
{
	int fd;
	mshare_t r = file_region(&fd);
	char *p;

	(void)state;
	if (!r)
		return;
	p = region_attach_all(r);
	p[0] = 1;
	p[REGION - 1] = 1;
	check_equal(dirty_bytes(p), 2 * page_size());
	check(mshare_flush(r, 17, 4, MSHARE_FLUSH_DATA) == 0);
	check_equal(dirty_bytes(p), page_size());
	check(mshare_flush(r, (off_t)(REGION - 1), 1, MSHARE_FLUSH_DATA) == 0);
	check_equal(dirty_bytes(p), 0);
	region_end(r);
	close(fd);
}

static void write_one_byte(void *p)
{
	*(char *)p = 'w';
}

static void of_what_others_wrote(void **state)
{
	int fd;
	mshare_t r = file_region(&fd);
	char *p;

	(void)state;
	if (!r)
		return;
	p = region_attach_all(r);
	child_run(write_one_byte, p);
	check_equal(p[0], 'w');
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check_equal(dirty_bytes(p), 0);
	region_end(r);
	close(fd);
}

static void of_memory(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 2);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(mshare_flush(r, 5, 10, MSHARE_FLUSH_DATA) == 0);
	bytes_check(p, REGION, 2);
	check_equal(region_stat(r, 0).flushes, 2);
	region_end(r);
}

struct pair {
	struct signpost ready;
	struct signpost discarded;
	char *p;
};

static void sees_zeroes(void *arg)
{
	struct pair *pair = arg;

	bytes_check(pair->p, REGION, 3);
	signpost_raise(&pair->ready);
	signpost_await(&pair->discarded);
	bytes_check(pair->p, pmd_size(), 3);
	bytes_check_zero(pair->p + pmd_size(), pmd_size());
}

static void discard_is_seen_by_all(void **state)
{
	struct pair pair;
	mshare_t r = region_make(REGION);
	pid_t other;

	(void)state;
	signpost_make(&pair.ready);
	signpost_make(&pair.discarded);
	pair.p = region_attach_all(r);
	bytes_fill(pair.p, REGION, 3);
	other = child_start(sees_zeroes, &pair);
	signpost_await(&pair.ready);
	check_equal(region_stat(r, 0).used, REGION);
	check(mshare_flush(r, (off_t)pmd_size(), pmd_size(), MSHARE_FLUSH_DISCARD) == 0);
	signpost_raise(&pair.discarded);
	child_wait(other);
	bytes_check(pair.p, pmd_size(), 3);
	bytes_check_zero(pair.p + pmd_size(), pmd_size());
	region_end(r);
	signpost_close(&pair.ready);
	signpost_close(&pair.discarded);
}

static void discard_gives_memory_back(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);

	(void)state;
	check(p != MAP_FAILED);
	check_equal(region_stat(r, 0).used, REGION);
	check(mshare_flush(r, 0, pmd_size(), MSHARE_FLUSH_DISCARD) == 0);
	check_equal(region_stat(r, 0).used, REGION - pmd_size());
	check(mshare_flush(r, (off_t)pmd_size(), 0, MSHARE_FLUSH_DISCARD) == 0);
	check_equal(region_stat(r, 0).used, 0);
	check_equal(region_stat(r, 0).flushes, 2);
	check_equal(region_size(r), REGION);
	bytes_check_zero(p, REGION);
	bytes_fill(p, REGION, 4);
	bytes_check(p, REGION, 4);
	region_end(r);
}

static void discard_of_a_file(void **state)
{
	int fd;
	mshare_t r = file_region(&fd);
	char *p;

	(void)state;
	if (!r)
		return;
	p = region_attach_all(r);
	bytes_fill(p, REGION, 5);
	check(mshare_flush(r, (off_t)page_size(), page_size(), MSHARE_FLUSH_DISCARD) == 0);
	bytes_check(p, page_size(), 5);
	bytes_check_zero(p + page_size(), page_size());
	check_equal(region_size(r), REGION);
	region_end(r);
	close(fd);
}

/* "Up to the end" means the end of this moment, not the one it had when it was opened. */
static void discard_up_to_an_odd_end(void **state)
{
	const size_t odd = 2 * page_size() + 100;
	mshare_t r;
	int fd;

	(void)state;
	if (!backend_takes_shmem()) /* hugetlb files end with a page */
		return;
	fd = memory_file(odd);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check(mshare_flush(r, 0, odd, MSHARE_FLUSH_DISCARD) == 0);
	check(ftruncate(fd, (off_t)(odd + page_size())) == 0);
	check_refused(mshare_flush(r, 0, odd, MSHARE_FLUSH_DISCARD) == -1, EINVAL);
	check(mshare_flush(r, 0, odd + page_size(), MSHARE_FLUSH_DISCARD) == 0);
	check(mshare_flush(r, (off_t)page_size(), 0, MSHARE_FLUSH_DISCARD) == 0);
	check_equal(region_stat(r, 0).flushes, 3);
	region_end(r);
	close(fd);
}

static void refusals(void **state)
{
	mshare_t r = region_make(REGION);
	const unsigned int both = MSHARE_FLUSH_DATA | MSHARE_FLUSH_DISCARD;
	char *p = region_attach_all(r);

	(void)state;
	bytes_fill(p, REGION, 6);
	check_refused(mshare_flush(r, 1, page_size(), MSHARE_FLUSH_DISCARD) == -1, EINVAL);
	check_refused(mshare_flush(r, 0, page_size() - 1, MSHARE_FLUSH_DISCARD) == -1, EINVAL);
	check_refused(mshare_flush(r, 0, 0, 0) == -1, EINVAL);
	check_refused(mshare_flush(r, 0, 0, both) == -1, EINVAL);
	check_refused(mshare_flush(r, 0, 0, 1u << 31) == -1, EINVAL);
	if (!backend_is(MSHARE_BACKEND_SHIM))
		check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_TLB) == -1, EOPNOTSUPP);
	check_refused(mshare_flush(r, 0, REGION + pmd_size(), MSHARE_FLUSH_DISCARD) == -1, ENXIO);
	check_refused(mshare_flush(r, (off_t)REGION, 1, MSHARE_FLUSH_DATA) == -1, ENXIO);
	check_refused(mshare_flush(r, 1, SIZE_MAX, MSHARE_FLUSH_DATA) == -1, ENXIO);
	bytes_check(p, REGION, 6);
	check_equal(region_stat(r, 0).flushes, 0);
	region_end(r);
	check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == -1, EBADF);
}

/* Another process's translations go, and come back with the same bytes. */
static void of_translations(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	if (!backend_is(MSHARE_BACKEND_SHIM))
		return;
	bytes_fill(p, REGION, 7);
	check_equal(region_stat(r, 0).links, REGION / pmd_size());
	check(mshare_flush(r, (off_t)page_size(), page_size(), MSHARE_FLUSH_TLB) == 0);
	check_equal(region_stat(r, 0).links, REGION / pmd_size() - 1);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_TLB) == 0);
	check_equal(region_stat(r, 0).links, 0);
	check_equal(region_stat(r, 0).flushes, 2);
	bytes_check(p, REGION, 7);
	check_refused(mshare_flush(r, 0, REGION + pmd_size(), MSHARE_FLUSH_TLB) == -1, ENXIO);
	check_refused(mshare_flush(r, 1, page_size(), MSHARE_FLUSH_TLB) == -1, EINVAL);
	check(mshare_flush(r, (off_t)REGION, 0, MSHARE_FLUSH_TLB) == 0);
	region_end(r);
}

static void hugetlb_pages_are_whole(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB)) {
		check_refused(mshare_flush(r, 0, page_size(), MSHARE_FLUSH_DISCARD) == -1, EINVAL);
		check_refused(mshare_flush(r, (off_t)page_size(), 0, MSHARE_FLUSH_DISCARD) == -1,
			      EINVAL);
	}
	check(mshare_flush(r, 0, pmd_size(), MSHARE_FLUSH_DISCARD) == 0);
	region_end(r);
}

static void sealed(void **state)
{
	mshare_t r;
	int fd;

	(void)state;
	if (!backend_takes_shmem()) {
		fd = memfd_create("sealed", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
		check(fd >= 0 && ftruncate(fd, (off_t)REGION) == 0);
	} else {
		fd = memory_file(REGION);
	}
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == -1, EPERM);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED, EPERM);
	bytes_check_zero(mshare_attach(r, NULL, 0, REGION, PROT_READ, 0), REGION);
	region_end(r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(of_a_regular_file),
		cmocka_unit_test(of_a_part),
		cmocka_unit_test(of_what_others_wrote),
		cmocka_unit_test(of_memory),
		cmocka_unit_test(discard_is_seen_by_all),
		cmocka_unit_test(discard_gives_memory_back),
		cmocka_unit_test(discard_of_a_file),
		cmocka_unit_test(discard_up_to_an_odd_end),
		cmocka_unit_test(refusals),
		cmocka_unit_test(of_translations),
		cmocka_unit_test(hugetlb_pages_are_whole),
		cmocka_unit_test(sealed),
	};

	return RUN_CASES(cases);
}
