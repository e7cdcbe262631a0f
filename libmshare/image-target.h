/* SPDX-License-Identifier: MIT */
/*
 * A file that appears complete or not at all: written without a name (O_TMPFILE), or where that is
 * missing under a temporary one, made durable, and then renamed to its own.
 */
#ifndef MSHARE_IMAGE_TARGET_H
#define MSHARE_IMAGE_TARGET_H

#include <limits.h>

#include "region.h"

/* ".mshare-save-" and 16 digits, in the directory of the file. */
#define TEMPORARY_NAME 32

struct image_target {
	const char *path; /* as given, for sentences */
	char copy[PATH_MAX]; /* of it; base points into it */
	const char *base;
	int dir;
	bool dir_is_path; /* opened with O_PATH: not to be read, nor synced by itself */
	int fd; /* open for reading and writing */
	uint64_t size; /* of fd now */
	char temporary[TEMPORARY_NAME]; /* its present name; "": none */
};

/*
 * Opens the directory and makes the file, unless that would replace the one of r. 0 or -errno with
 * a sentence, and then nothing is left.
 */
must_check int target_open(struct image_target *t, const struct region *r, int dirfd,
			   const char *path, mode_t mode);

/*
 * Makes the file at least this long, so that no write makes it longer; reserves the space where
 * that is possible. 0 or -errno with a sentence.
 */
must_check int target_make_room(struct image_target *t, uint64_t size);

/*
 * Cuts the file to size, makes it durable and gives it its name. 0 or -errno with a sentence. A
 * failure leaves what had the name before, unless the directory cannot be synced.
 */
must_check int target_publish(struct image_target *t, uint64_t size);

/* Closes it, and removes what was not published. */
void target_close(struct image_target *t);

/* A sentence for a failed write; returns err. */
must_check int target_failed(const struct image_target *t, int err, const char *what);

#endif
