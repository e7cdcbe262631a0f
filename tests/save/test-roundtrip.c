/* SPDX-License-Identifier: MIT */
/* What was saved is what is loaded, byte for byte, and holes stay holes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (5 * CHUNK)

/* Into a region without contents, and into one that has others everywhere. */
static void contents_return(void **state)
{
	(void)state;
	for (enum shape shape = 0; shape < SHAPES; shape++) {
		unsigned char *saved, *fresh, *full;
		mshare_t r = region_with(REGION, shape, 1, &saved);
		mshare_t a = region_with(REGION, SHAPE_NOTHING, 2, &fresh);
		mshare_t b = region_with(REGION, SHAPE_DENSE, 2, &full);

		album_save(r, "image");
		album_load(a, "image");
		album_load(b, "image");
		shape_check(saved, region_size(r), shape, 1);
		shape_check(fresh, region_size(a), shape, 1);
		shape_check(full, region_size(b), shape, 1);
		region_drop(r, saved);
		region_drop(a, fresh);
		region_drop(b, full);
	}
}

/* A page that was never touched costs neither disk nor memory. */
static void holes_stay_holes(void **state)
{
	unsigned char *saved, *loaded;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &saved);
	mshare_t a = region_with(REGION, SHAPE_NOTHING, 0, &loaded);
	size_t per_chunk = CHUNK / PAGE;
	size_t pages = 2 * ((per_chunk + 2) / 3) + per_chunk + 1;

	(void)state;
	album_save(r, "holes");
	/* header, table, three maps */
	check_equal(file_size(album("holes")), (2 + 3 + pages) * PAGE);
	album_load(a, "holes");
	if (backend_is(MSHARE_BACKEND_PLAIN) || backend_is(MSHARE_BACKEND_SHIM))
		check_equal(region_stat(a, 0).used, pages * PAGE);
	check(region_stat(a, 0).used <= region_stat(r, 0).used);
	region_drop(r, saved);
	region_drop(a, loaded);
}

static void empty_region(void **state)
{
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_NOTHING, 0, &bytes);

	(void)state;
	album_save(r, "empty");
	check(file_size(album("empty")) <= 2 * PAGE);
	shape_fill(bytes, region_size(r), SHAPE_DENSE, 3);
	album_load(r, "empty");
	bytes_check_zero(bytes, region_size(r));
	region_drop(r, bytes);
}

static void same_contents_same_file(void **state)
{
	unsigned char *bytes, *one, *two;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	size_t size, size_two;

	(void)state;
	album_save(r, "one");
	album_save(r, "two");
	one = file_read(album("one"), &size);
	two = file_read(album("two"), &size_two);
	check_equal(size, size_two);
	check(memcmp(one, two, size) == 0);
	free(one);
	free(two);
	region_drop(r, bytes);
}

/* Every depth, through the page cache or past it: the same file, and it loads. */
static void every_way_is_the_same(void **state)
{
	static const uint32_t depths[] = { 1, 2, 3, 64 };
	unsigned char *bytes, *other, *wanted;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	mshare_t a = region_with(REGION, SHAPE_NOTHING, 0, &other);
	size_t size, got;

	(void)state;
	album_save(r, "default");
	wanted = file_read(album("default"), &size);
	for (size_t i = 0; i < 8; i++) {
		struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
		unsigned char *file;

		attr.depth = depths[i / 2];
		attr.flags = i % 2 ? MSHARE_IMAGE_CACHED : 0;
		check(mshare_save(r, AT_FDCWD, album("way"), &attr) == 0);
		file = file_read(album("way"), &got);
		check(got == size && memcmp(file, wanted, size) == 0);
		free(file);
		check(mshare_load(a, AT_FDCWD, album("way"), &attr) == 0);
		shape_check(other, region_size(a), SHAPE_SPARSE, 1);
		if (i % 2)
			check(!(region_stat(a, 0).flags & MSHARE_STAT_F_DIRECT));
	}
	free(wanted);
	region_drop(r, bytes);
	region_drop(a, other);
}

static void other_sizes(void **state)
{
	unsigned char *bytes, *more, *less;
	mshare_t r = region_with(2 * CHUNK, SHAPE_DENSE, 1, &bytes);
	mshare_t larger = region_with(6 * CHUNK, SHAPE_DENSE, 2, &more);
	mshare_t smaller = region_with(CHUNK, SHAPE_DENSE, 2, &less);

	(void)state;
	album_save(r, "size");
	album_load(larger, "size");
	shape_check(more, 2 * CHUNK, SHAPE_DENSE, 1);
	bytes_check_zero(more + 2 * CHUNK, region_size(larger) - 2 * CHUNK);
	check_refused(mshare_load(smaller, AT_FDCWD, album("size"), NULL) == -1, ENXIO);
	shape_check(less, CHUNK, SHAPE_DENSE, 2);
	/* What is behind the end may be missing where it is zero. */
	memset(bytes + CHUNK, 0, CHUNK);
	album_save(r, "size");
	album_load(smaller, "size");
	bytes_check(less, PAGE, 1);
	region_drop(r, bytes);
	region_drop(larger, more);
	region_drop(smaller, less);
}

/* Regular files may have any size; only the plain backend maps all of them. */
static void sizes_off_every_grid(void **state)
{
	static const size_t sizes[] = { 8, PAGE - 8, PAGE + 8, CHUNK + 16, 2 * CHUNK - 8 };
	int fds[2];

	(void)state;
	if (!backend_is(MSHARE_BACKEND_PLAIN))
		return; /* sizes of its regions are rounded up */
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i / 2];
		unsigned char *bytes = malloc(size), *back = malloc(size);
		mshare_t r, a;

		for (int k = 0; k < 2; k++)
			fds[k] = i % 2 ? memory_file(size) : disk_file(size);
		memset(bytes, 0, size);
		shape_fill(bytes, size, SHAPE_DENSE, i);
		check(pwrite(fds[0], bytes, size, 0) == (ssize_t)size);
		r = mshare_from_fd(fds[0], NULL);
		a = mshare_from_fd(fds[1], NULL);
		check(r && a);
		album_save(r, "odd");
		album_load(a, "odd");
		check_equal(region_size(a), size);
		check(pread(fds[1], back, size, 0) == (ssize_t)size);
		check(memcmp(bytes, back, size) == 0);
		album_load(a, "odd"); /* over itself */
		check(pread(fds[1], back, size, 0) == (ssize_t)size);
		check(memcmp(bytes, back, size) == 0);
		region_end(r);
		region_end(a);
		close(fds[0]);
		close(fds[1]);
		free(bytes);
		free(back);
	}
}

static void check_only(void **state)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);

	(void)state;
	attr.flags = MSHARE_IMAGE_CHECK;
	album_save(r, "check");
	memset(bytes, 7, PAGE);
	check(mshare_load(r, AT_FDCWD, album("check"), &attr) == 0);
	check_equal(bytes[0], 7);
	check_equal(bytes[PAGE - 1], 7);
	region_drop(r, bytes);
}

struct look {
	mshare_t region;
	struct signpost ready, loaded;
};

static void see_it_change(void *arg)
{
	struct look *look = arg;
	unsigned char *bytes = region_attach_all(look->region);

	shape_check(bytes, region_size(look->region), SHAPE_DENSE, 9);
	signpost_raise(&look->ready);
	signpost_await(&look->loaded);
	shape_check(bytes, region_size(look->region), SHAPE_SPARSE, 1);
}

static void others_see_it(void **state)
{
	unsigned char *saved, *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &saved);
	struct look look;
	pid_t pid;

	(void)state;
	album_save(r, "others");
	look.region = region_with(REGION, SHAPE_DENSE, 9, &bytes);
	signpost_make(&look.ready);
	signpost_make(&look.loaded);
	pid = child_start(see_it_change, &look);
	signpost_await(&look.ready);
	album_load(look.region, "others");
	signpost_raise(&look.loaded);
	child_wait(pid);
	signpost_close(&look.ready);
	signpost_close(&look.loaded);
	region_drop(look.region, bytes);
	region_drop(r, saved);
}

static void store_for_ever(void *arg)
{
	struct look *look = arg;
	unsigned char *bytes = region_attach_all(look->region);

	signpost_raise(&look->ready);
	for (uint64_t salt = 1;; salt++)
		shape_fill(bytes, REGION, SHAPE_DENSE, salt);
}

/* Each page may be old or new; that the file verifies does not depend on it. */
static void saved_while_in_use(void **state)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
	unsigned char *bytes, first[8];
	struct look look;
	pid_t pid;

	(void)state;
	attr.flags = MSHARE_IMAGE_CHECK;
	look.region = region_with(REGION, SHAPE_DENSE, 0, &bytes);
	signpost_make(&look.ready);
	pid = child_start(store_for_ever, &look);
	signpost_await(&look.ready);
	memcpy(first, bytes, sizeof(first));
	for (int i = 0; i < 10; i++) {
		album_save(look.region, "used");
		check(mshare_load(look.region, AT_FDCWD, album("used"), &attr) == 0);
	}
	check(memcmp(first, bytes, sizeof(first)) != 0); /* it was in use */
	child_kill(pid);
	signpost_close(&look.ready);
	region_drop(look.region, bytes);
}

static void rights(void **state)
{
	struct mshare_image_attr check = MSHARE_IMAGE_ATTR_INIT;
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	mshare_t reader = region_reopen(r, O_RDONLY);

	(void)state;
	check.flags = MSHARE_IMAGE_CHECK;
	album_save(reader, "rights");
	check_refused(mshare_load(reader, AT_FDCWD, album("rights"), NULL) == -1, EACCES);
	check(mshare_load(reader, AT_FDCWD, album("rights"), &check) == 0);
	region_end(reader);
	shape_check(bytes, region_size(r), SHAPE_DENSE, 1);
	region_drop(r, bytes);
	r = region_make(REGION);
	check(fcntl(mshare_fd(r), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	check_refused(mshare_load(r, AT_FDCWD, album("rights"), NULL) == -1, EPERM);
	region_end(r);
}

static void nothing_is_left_open(void **state)
{
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	struct proc_footprint before;

	(void)state;
	album_save(r, "leak");
	album_load(r, "leak");
	before = proc_footprint();
	errno = 77;
	for (int i = 0; i < 20; i++) {
		album_save(r, "leak");
		album_load(r, "leak");
		check_equal(errno, 77);
	}
	proc_check_footprint(&before, "20 times saved and loaded");
	check_equal(album_count(".mshare-save-"), 0);
	region_drop(r, bytes);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(contents_return),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(empty_region),
		cmocka_unit_test(same_contents_same_file),
		cmocka_unit_test(every_way_is_the_same),
		cmocka_unit_test(other_sizes),
		cmocka_unit_test(sizes_off_every_grid),
		cmocka_unit_test(check_only),
		cmocka_unit_test(others_see_it),
		cmocka_unit_test(saved_while_in_use),
		cmocka_unit_test(rights),
		cmocka_unit_test(nothing_is_left_open),
	};

	return RUN_CASES(cases);
}
