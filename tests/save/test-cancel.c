/* SPDX-License-Identifier: MIT */
/*
 * The progress function sees all of it and may stop it at every step, leaving everything as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "object.h"

#define REGION (6 * CHUNK)
#define SCANNED (32 * CHUNK) /* for each call of the progress function */
#define HOLES (3 * SCANNED)

struct watch {
	uint64_t calls;
	uint64_t stop_at; /* this call; 0: never */
	uint64_t done, total;
	uint64_t size; /* of a region, */
	uint64_t searches; /* which so many calls were about */
};

/* In place of the C library's, on any kernel: Linux 6.4 is the first that shows all data. */
static bool old_kernel;

int uname(struct utsname *name)
{
	int err = (int)syscall(SYS_uname, name);

	if (!err)
		strcpy(name->release, old_kernel ? "6.3.99" : "6.4.0");
	return err;
}

static int note(void *arg, uint64_t done, uint64_t total)
{
	struct watch *w = arg;

	/* what there is to save is known when it has been looked for */
	check(w->calls == 0 || total == w->total || (done == 0 && total < w->total));
	check(done >= w->done && done <= total);
	w->searches += total == w->size && done == 0;
	w->done = done;
	w->total = total;
	return ++w->calls == w->stop_at ? 42 : 0;
}

static struct mshare_image_attr watched(struct watch *w, uint32_t depth)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	attr.progress = note;
	attr.arg = w;
	attr.depth = depth;
	return attr;
}

static void check_complete(const struct watch *w, uint64_t chunks)
{
	check_equal(w->done, w->total);
	check_equal(w->calls, chunks + 1);
}

static void saving(void **state)
{
	unsigned char *bytes, *old, *now;
	mshare_t r = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	size_t size, size_now;
	uint64_t steps;

	(void)state;
	album_save(r, "image");
	old = file_read(album("image"), &size);
	shape_fill(bytes, REGION, SHAPE_DENSE, 2);
	steps = region_size(r) / CHUNK + 2;
	for (uint64_t i = 1; i <= steps; i++) {
		struct watch w = { .stop_at = i };
		struct mshare_image_attr attr = watched(&w, (uint32_t)i);

		check_refused(mshare_save(r, AT_FDCWD, album("image"), &attr) == -1, ECANCELED);
		check(strstr(mshare_errmsg(), "42"));
		check_equal(w.calls, i);
		now = file_read(album("image"), &size_now);
		check(size == size_now && memcmp(old, now, size) == 0);
		free(now);
		check_equal(album_count(".mshare-save-"), 0);
	}
	struct watch all = { 0 };
	struct mshare_image_attr attr = watched(&all, 0);

	check(mshare_save(r, AT_FDCWD, album("image"), &attr) == 0);
	check_complete(&all, steps - 1);
	free(old);
	region_drop(r, bytes);
}

static void remove_file(const char *path, void *unused)
{
	(void)unused;
	check(unlink(path) == 0);
}

static void save_sparse(mshare_t r, struct watch *w)
{
	struct mshare_image_attr attr = watched(w, 1);

	w->size = region_size(r);
	if (!w->stop_at) {
		check(mshare_save(r, AT_FDCWD, album("sparse"), &attr) == 0);
		check_equal(w->total, CHUNK);
		check_equal(w->done, CHUNK);
		return;
	}
	check_refused(mshare_save(r, AT_FDCWD, album("sparse"), &attr) == -1, ECANCELED);
	check_equal(w->calls, w->stop_at);
	check_equal(album_count(""), 0);
}

/* Where holes have to be read it takes long before the first chunk is written. */
static void looking_into_holes(void **state)
{
	unsigned char *bytes;
	mshare_t r;

	(void)state;
	if (!backend_takes_shmem())
		return; /* hugetlb has no holes to look into */
	album_each("", remove_file, NULL);
	r = region_with(HOLES + CHUNK, SHAPE_NOTHING, 0, &bytes);
	bytes[HOLES] = 1;
	for (int old = 0; old <= 1; old++) {
		uint64_t searches = old ? HOLES / SCANNED + 1 : 1;
		struct watch all = { 0 };

		old_kernel = old;
		for (uint64_t i = 1; i <= searches; i++)
			save_sparse(r, &(struct watch){ .stop_at = i });
		save_sparse(r, &all);
		check_equal(all.searches, searches);
		check_equal(all.calls, searches + 2);
		check(unlink(album("sparse")) == 0);
	}
	old_kernel = false;
	region_drop(r, bytes);
}

static void loading_into_nothing(void **state)
{
	unsigned char *bytes, *other;
	mshare_t r = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	mshare_t a = region_with(REGION, SHAPE_NOTHING, 0, &other);
	uint64_t steps = region_size(r) / CHUNK + 1;

	(void)state;
	album_save(r, "image");
	for (uint64_t i = 1; i <= steps; i++) {
		struct watch w = { .stop_at = i };
		struct mshare_image_attr attr = watched(&w, (uint32_t)i);

		/* what an earlier round of hugetlb left allocated makes it two readings */
		check(mshare_flush(a, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
		check_refused(mshare_load(a, AT_FDCWD, album("image"), &attr) == -1, ECANCELED);
		check_equal(w.calls, i);
		bytes_check_zero(other, region_size(a));
	}
	check(mshare_flush(a, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	struct watch all = { 0 };
	struct mshare_image_attr attr = watched(&all, 0);

	check(mshare_load(a, AT_FDCWD, album("image"), &attr) == 0);
	check_complete(&all, steps - 1);
	shape_check(other, REGION, SHAPE_DENSE, 1);
	region_drop(r, bytes);
	region_drop(a, other);
}

/* It can be stopped while the file is verified, and not once the region changes. */
static void loading_over_contents(void **state)
{
	unsigned char *bytes, *other;
	mshare_t r = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	mshare_t a = region_with(REGION, SHAPE_DENSE, 2, &other);
	uint64_t chunks = region_size(r) / CHUNK;

	(void)state;
	album_save(r, "image");
	for (uint64_t i = 1; i <= 2 * chunks + 1; i++) {
		struct watch w = { .stop_at = i };
		struct mshare_image_attr attr = watched(&w, (uint32_t)i);

		shape_fill(other, REGION, SHAPE_DENSE, 2);
		if (i <= chunks + 1) {
			check_refused(mshare_load(a, AT_FDCWD, album("image"), &attr) == -1,
				      ECANCELED);
			check_equal(w.calls, i);
			shape_check(other, REGION, SHAPE_DENSE, 2);
		} else {
			check(mshare_load(a, AT_FDCWD, album("image"), &attr) == 0);
			check_complete(&w, 2 * chunks);
			shape_check(other, REGION, SHAPE_DENSE, 1);
		}
	}
	region_drop(r, bytes);
	region_drop(a, other);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(saving),
		cmocka_unit_test(looking_into_holes),
		cmocka_unit_test(loading_into_nothing),
		cmocka_unit_test(loading_over_contents),
	};

	return RUN_CASES(cases);
}
