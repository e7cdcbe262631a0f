/* SPDX-License-Identifier: MIT */
/*
 * A file that is torn, cut off, foreign or changed in one bit is refused, the sentence names the
 * chunk, and the region is as it was: with contents or without.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "object.h"

#define REGION (4 * CHUNK)
#define DATA_AT (2 * PAGE) /* header and table */

/* Chunks 0 (sparse), 2 (whole) and 3 (one page) are in the file. */
static struct {
	unsigned char *image; /* a good one */
	size_t size;
	size_t second; /* where chunk 2 begins in it */
	size_t third;
	mshare_t empty, full;
	unsigned char *empty_bytes, *full_bytes;
} scene;

static int make_scene(void **state)
{
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);

	(void)state;
	album_save(r, "good");
	region_drop(r, bytes);
	scene.image = file_read(album("good"), &scene.size);
	scene.third = scene.size - 2 * PAGE;
	scene.second = scene.third - CHUNK;
	scene.empty = region_with(REGION, SHAPE_NOTHING, 0, &scene.empty_bytes);
	scene.full = region_with(REGION, SHAPE_DENSE, 2, &scene.full_bytes);
	return 0;
}

static int end_scene(void **state)
{
	(void)state;
	region_drop(scene.empty, scene.empty_bytes);
	region_drop(scene.full, scene.full_bytes);
	free(scene.image);
	return 0;
}

static void check_sentence(const char *part)
{
	if (!strstr(mshare_errmsg(), part))
		fprintf(stderr, "\"%s\" is not in \"%s\"\n", part, mshare_errmsg());
	check(strstr(mshare_errmsg(), part));
}

/* The file "bad" goes into neither region, with MSHARE_IMAGE_CHECK neither. */
static void refused(int expected, const char *part)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	check_refused(mshare_load(scene.empty, AT_FDCWD, album("bad"), NULL) == -1, expected);
	check_sentence(part);
	check_sentence(album("bad"));
	check_refused(mshare_load(scene.full, AT_FDCWD, album("bad"), NULL) == -1, expected);
	check_sentence(part);
	attr.flags = MSHARE_IMAGE_CHECK;
	check_refused(mshare_load(scene.full, AT_FDCWD, album("bad"), &attr) == -1, expected);
	check_sentence(part);
}

/* After a group of them: reading all bytes each time would only take longer. */
static void check_untouched(void)
{
	if (!backend_is(
		    MSHARE_BACKEND_HUGETLB)) /* whose pages stay, instead of their reservation */
		check_equal(region_stat(scene.empty, 0).used, 0);
	bytes_check_zero(scene.empty_bytes, region_size(scene.empty));
	shape_check(scene.full_bytes, region_size(scene.full), SHAPE_DENSE, 2);
}

static void write_bad(size_t size)
{
	file_write(album("bad"), scene.image, size);
}

static void the_good_one_loads(void **state)
{
	(void)state;
	album_load(scene.empty, "good");
	shape_check(scene.empty_bytes, REGION, SHAPE_SPARSE, 1);
}

static void cut_off(void **state)
{
	const struct {
		size_t size;
		const char *part;
	} cuts[] = {
		{ 0, "not an image" },
		{ 1, "not an image" },
		{ PAGE - 1, "not an image" },
		{ PAGE, "before chunk 0" },
		{ DATA_AT - 1, "before chunk 0" },
		{ DATA_AT, "cut off in chunk 0 " },
		{ DATA_AT + 1, "cut off in chunk 0 " },
		{ scene.second - 1, "cut off in chunk 0 " },
		{ scene.second, "cut off in chunk 2 " },
		{ scene.second + PAGE, "cut off in chunk 2 " },
		{ scene.third - 1, "cut off in chunk 2 " },
		{ scene.third, "cut off in chunk 3 " },
		{ scene.size - PAGE, "cut off in chunk 3 " },
		{ scene.size - 1, "cut off in chunk 3 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_bad(cuts[i].size);
		refused(EBADMSG, cuts[i].part);
	}
	check_untouched();
}

static void made_longer(void **state)
{
	unsigned char *more = calloc(1, scene.size + PAGE);

	(void)state;
	check(more);
	memcpy(more, scene.image, scene.size);
	file_write(album("bad"), more, scene.size + 1);
	refused(EBADMSG, "behind its last chunk");
	file_write(album("bad"), more, scene.size + PAGE);
	refused(EBADMSG, "behind its last chunk");
	free(more);
	check_untouched();
}

/* Changes one bit in place: writing 3 MiB for each would be slow. */
static void flip(int fd, size_t byte, unsigned int bit)
{
	unsigned char value = scene.image[byte] ^ (unsigned char)(1u << bit);

	check(pwrite(fd, &value, 1, (off_t)byte) == 1);
}

static void mend(int fd, size_t byte)
{
	check(pwrite(fd, &scene.image[byte], 1, (off_t)byte) == 1);
}

/* Each bit of all that has a meaning in header and table, and one of each 97 bytes of the rest. */
static void flipped_in_front(void **state)
{
	size_t step;
	int fd;

	(void)state;
	write_bad(scene.size);
	fd = open(album("bad"), O_WRONLY | O_CLOEXEC);
	check(fd >= 0);
	for (size_t byte = 0; byte < PAGE + 3 * 32; byte += step) {
		bool means = byte < 64 || byte >= PAGE - 4;

		for (unsigned int bit = 0; bit < (means ? 8 : 1); bit++) {
			const char *part = byte < 8	 ? "not an image"
					   : byte < PAGE ? "header is damaged"
							 : "of its table";

			flip(fd, byte, bit);
			check_refused(mshare_load(scene.empty, AT_FDCWD, album("bad"), NULL) == -1,
				      EBADMSG);
			check_sentence(part);
			mend(fd, byte);
		}
		step = byte < 63 || byte >= PAGE - 4 ? 1
		       : byte + 97 < PAGE - 4	     ? 97
						     : PAGE - 4 - byte;
	}
	close(fd);
	check_untouched();
}

static const char *chunk_at(size_t byte)
{
	return byte < scene.second  ? "chunk 0 (offset 0 "
	       : byte < scene.third ? "chunk 2 (offset 4194304 "
				    : "chunk 3 (offset 6291456 ";
}

static void flipped_in_a_chunk(void **state)
{
	const size_t bytes[] = {
		DATA_AT,	  DATA_AT + 63, DATA_AT + 64,	  DATA_AT + PAGE,
		scene.second - 1, scene.second, scene.second + 1, scene.second + CHUNK / 2,
		scene.third - 1,  scene.third,	scene.third + 12, scene.size - 1
	};
	int fd;

	(void)state;
	write_bad(scene.size);
	fd = open(album("bad"), O_WRONLY | O_CLOEXEC);
	check(fd >= 0);
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		flip(fd, bytes[i], (unsigned int)i % 8);
		refused(EBADMSG, chunk_at(bytes[i]));
		mend(fd, bytes[i]);
	}
	close(fd);
	check_untouched();
}

/* As after a crash without fsync: some blocks were never written, or are another image's. */
static void torn(void **state)
{
	static const unsigned char zeros[PAGE];
	unsigned char *bytes, *other;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 5, &bytes);
	size_t size;
	int fd;

	(void)state;
	album_save(r, "other");
	region_drop(r, bytes);
	other = file_read(album("other"), &size);
	check_equal(size, scene.size);
	write_bad(scene.size);
	fd = open(album("bad"), O_WRONLY | O_CLOEXEC);
	check(fd >= 0);
	for (size_t at = DATA_AT; at < size; at += 61 * PAGE) {
		check(pwrite(fd, zeros, PAGE, (off_t)at) == (ssize_t)PAGE);
		refused(EBADMSG, chunk_at(at));
		/* the maps of pages of both images are the same */
		if (memcmp(other + at, scene.image + at, PAGE) != 0) {
			check(pwrite(fd, other + at, PAGE, (off_t)at) == (ssize_t)PAGE);
			refused(EBADMSG, chunk_at(at));
		}
		check(pwrite(fd, scene.image + at, PAGE, (off_t)at) == (ssize_t)PAGE);
	}
	check(pwrite(fd, other, PAGE, 0) == (ssize_t)PAGE);
	refused(EBADMSG, "not of one image");
	close(fd);
	free(other);
	check_untouched();
}

static void foreign(void **state)
{
	(void)state;
	memset(scene.image, 'x', PAGE); /* the last case that needs it */
	write_bad(scene.size);
	refused(EBADMSG, "not an image");
	check_refused(mshare_load(scene.full, AT_FDCWD, "/dev/null", NULL) == -1, EINVAL);
	check_refused(mshare_load(scene.full, AT_FDCWD, album_dir(), NULL) == -1, EINVAL);
	check_refused(mshare_load(scene.full, AT_FDCWD, album("missing"), NULL) == -1, ENOENT);
	check_untouched();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_scene, end_scene)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(the_good_one_loads), CASE(cut_off), CASE(made_longer), CASE(flipped_in_front),
		CASE(flipped_in_a_chunk), CASE(torn),	 CASE(foreign),
	};

	return RUN_CASES(cases);
}
