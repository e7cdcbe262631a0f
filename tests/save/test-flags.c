/* SPDX-License-Identifier: MIT */
/* What flags the region's descriptor has is not what its contents depend on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"

#define REGION (3 * CHUNK)

static mshare_t region, other;
static unsigned char *bytes, *other_bytes;

static int make_regions(void **state)
{
	(void)state;
	region = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	other = region_with(REGION, SHAPE_DENSE, 2, &other_bytes);
	album_save(region, "image");
	return 0;
}

static int end_regions(void **state)
{
	(void)state;
	region_drop(region, bytes);
	region_drop(other, other_bytes);
	return 0;
}

/* 0, or why the file system has no such flag. */
static int set_flags(mshare_t r, int flags)
{
	return fcntl(mshare_fd(r), F_SETFL, flags) ? errno : 0;
}

/* Over contents, and into nothing. */
static void loading_where_writes_are_appended(void **state)
{
	(void)state;
	check(set_flags(other, O_APPEND) == 0);
	album_load(other, "image");
	check_equal(region_file(other).st_size, region_size(region));
	shape_check(other_bytes, REGION, SHAPE_SPARSE, 1);
	check(mshare_flush(other, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	album_load(other, "image");
	check_equal(region_file(other).st_size, region_size(region));
	shape_check(other_bytes, REGION, SHAPE_SPARSE, 1);
	check(fcntl(mshare_fd(other), F_GETFL) & O_APPEND);
}

static mshare_t direct_file(size_t size)
{
	int fd = disk_file(size);
	mshare_t r = mshare_from_fd(fd, NULL);

	check(r);
	check(close(fd) == 0);
	if (set_flags(r, O_DIRECT)) {
		region_end(r);
		skip_case("the file system of the build has no O_DIRECT");
	}
	return r;
}

/* Its last piece is none that O_DIRECT could read or write. */
static void direct_file_of_odd_length(void **state)
{
	const size_t size = CHUNK + 100;
	unsigned char *p;
	mshare_t r;

	(void)state;
	if (!backend_takes_files())
		return;
	r = direct_file(size);
	p = region_attach_all(r);
	bytes_fill(p, CHUNK, 5);
	memset(p + CHUNK, 'x', 100);
	album_save(r, "odd");
	memset(p, 'y', size);
	album_load(r, "odd");
	bytes_check(p, CHUNK, 5);
	check(p[CHUNK] == 'x' && p[size - 1] == 'x');
	check(mshare_detach(r, p, size) == 0);
	region_end(r);
}

static void never_again(int mode)
{
	deny_call_with(SYS_openat, 2, O_ACCMODE | O_NONBLOCK, (uint32_t)mode | O_NONBLOCK, EACCES);
}

static void load_without_own(void *unused)
{
	(void)unused;
	never_again(O_RDWR);
	album_load(other, "image");
	shape_check(other_bytes, REGION, SHAPE_SPARSE, 1);
	check(set_flags(other, O_APPEND) == 0);
	shape_fill(other_bytes, REGION, SHAPE_DENSE, 2);
	if (backend_is(MSHARE_BACKEND_HUGETLB)) { /* is mapped to be written */
		album_load(other, "image");
		return;
	}
	check_refused(mshare_load(other, AT_FDCWD, album("image"), NULL) == -1, EACCES);
	check(strstr(mshare_errmsg(), "O_APPEND"));
	shape_check(other_bytes, REGION, SHAPE_DENSE, 2);
}

static void file_that_cannot_be_opened_again(void **state)
{
	(void)state;
	child_run(load_without_own, NULL);
}

static void save_without_own(void *unused)
{
	mshare_t r = direct_file(CHUNK);

	(void)unused;
	never_again(O_RDONLY);
	check_refused(mshare_save(r, AT_FDCWD, album("direct"), NULL) == -1, EACCES);
	check(strstr(mshare_errmsg(), "O_DIRECT"));
	check(set_flags(r, 0) == 0);
	album_save(r, "direct");
	region_end(r);
}

static void direct_file_that_cannot_be_opened_again(void **state)
{
	(void)state;
	if (!backend_takes_files())
		return;
	region_end(direct_file(CHUNK)); /* or skip here, not in the child */
	child_run(save_without_own, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_regions, end_regions)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(loading_where_writes_are_appended),
		CASE(direct_file_of_odd_length),
		CASE(file_that_cannot_be_opened_again),
		CASE(direct_file_that_cannot_be_opened_again),
	};

	return RUN_CASES(cases);
}
