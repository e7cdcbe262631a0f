/* SPDX-License-Identifier: MIT */
/*
 * Every system call behind saving and loading fails once, in several ways: the call gets over it or
 * says so, and what was there before still is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "album.h"
#include "backend.h"
#include "faults.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * CHUNK)
#define MOST_CALLS 5000

static const int errors[] = { FAULT_SHORT, EIO, ENOSPC, ENOMEM, EINVAL, EINTR, EOPNOTSUPP };
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

static struct {
	mshare_t region, empty, full;
	unsigned char *bytes, *empty_bytes, *full_bytes;
	unsigned char *old; /* the file that is there */
	size_t old_size;
	unsigned long survived, refused;
} scene;

static struct mshare_image_attr few_buffers(void)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	attr.depth = 2;
	return attr;
}

static bool said(const char *part)
{
	return strstr(mshare_errmsg(), part) != NULL;
}

static void put_old(void)
{
	file_write(album("image"), scene.old, scene.old_size);
}

static bool old_is_there(void)
{
	size_t size;
	unsigned char *file = file_read(album("image"), &size);
	bool same = size == scene.old_size && memcmp(file, scene.old, size) == 0;

	free(file);
	return same;
}

static int save(void)
{
	const struct mshare_image_attr attr = few_buffers();

	return mshare_save(scene.region, AT_FDCWD, album("image"), &attr);
}

static void check_save(int result)
{
	struct mshare_image_attr attr = few_buffers();

	attr.flags = MSHARE_IMAGE_CHECK;
	check_equal(album_count(".mshare-save-"), 0);
	if (result == 0 || said("has its name")) {
		check(!old_is_there());
		check(mshare_load(scene.region, AT_FDCWD, album("image"), &attr) == 0);
		put_old();
	} else {
		check(old_is_there());
	}
}

static int load_into_nothing(void)
{
	const struct mshare_image_attr attr = few_buffers();

	return mshare_load(scene.empty, AT_FDCWD, album("image"), &attr);
}

static void check_empty(int result)
{
	if (result == 0)
		shape_check(scene.empty_bytes, REGION, SHAPE_RUNS, 1);
	else if (!said("could not be emptied again"))
		bytes_check_zero(scene.empty_bytes, REGION);
	check(mshare_flush(scene.empty, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
}

static int load_over_contents(void)
{
	const struct mshare_image_attr attr = few_buffers();

	return mshare_load(scene.full, AT_FDCWD, album("image"), &attr);
}

static void check_full(int result)
{
	if (result == 0)
		shape_check(scene.full_bytes, REGION, SHAPE_RUNS, 1);
	else if (!said("a part of the new contents"))
		shape_check(scene.full_bytes, REGION, SHAPE_DENSE, 2);
	shape_fill(scene.full_bytes, REGION, SHAPE_DENSE, 2);
}

/* Each call in turn, until there are no more. */
static void sweep(int (*call)(void), void (*judge)(int result), int err)
{
	const char *name = "";

	for (unsigned long n = 1; name; n++) {
		struct proc_footprint before = proc_footprint();
		int result;

		check_leave_sentence();
		faults_arm(n, err);
		result = call();
		name = faults_disarm();
		if (result) {
			check(name && !said("987654"));
			scene.refused++;
		} else {
			scene.survived += name != NULL;
		}
		proc_check_footprint(&before, name ? name : "no fault");
		judge(result);
		check(n < MOST_CALLS);
	}
}

static int make_scene(void **state)
{
	(void)state;
	scene.region = region_with(REGION, SHAPE_RUNS, 1, &scene.bytes);
	scene.empty = region_with(REGION, SHAPE_NOTHING, 0, &scene.empty_bytes);
	scene.full = region_with(REGION, SHAPE_DENSE, 2, &scene.full_bytes);
	scene.survived = scene.refused = 0;
	album_save(scene.region, "image");
	scene.old = file_read(album("image"), &scene.old_size);
	return 0;
}

static int end_scene(void **state)
{
	(void)state;
	printf("%lu faults got over, %lu refused\n", scene.survived, scene.refused);
	check(scene.survived && scene.refused);
	region_drop(scene.region, scene.bytes);
	region_drop(scene.empty, scene.empty_bytes);
	region_drop(scene.full, scene.full_bytes);
	free(scene.old);
	return 0;
}

static void saving(void **state)
{
	(void)state;
	shape_fill(scene.bytes, REGION, SHAPE_RUNS, 3); /* not what the old file has */
	for (size_t i = 0; i < ERRORS; i++)
		sweep(save, check_save, errors[i]);
}

static void loading_into_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ERRORS; i++)
		sweep(load_into_nothing, check_empty, errors[i]);
}

static void loading_over_contents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ERRORS; i++)
		sweep(load_over_contents, check_full, errors[i]);
}

static char order[64];

static void note_order(const char *name)
{
	static const char *const names[] = { "sys_fsync", "sys_link_fd_at", "sys_renameat" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0 && strlen(order) < sizeof(order) - 1)
			order[strlen(order)] = "slr"[i];
}

/* btrfs has not logged what was synced without a name: image-target.c has the story. */
static void synced_again_once_it_has_a_name(void **state)
{
	int result;

	(void)state;
	memset(order, 0, sizeof(order));
	faults_watch(note_order);
	result = save();
	faults_watch(NULL);
	check(result == 0);
	check(strcmp(order, "slsrs") == 0);
	/* So that end_scene() is content. */
	scene.survived = scene.refused = 1;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_scene, end_scene)

int main(void)
{
	const struct CMUnitTest cases[] = { CASE(saving), CASE(loading_into_nothing),
					    CASE(loading_over_contents),
					    CASE(synced_again_once_it_has_a_name) };

	return RUN_CASES(cases);
}
