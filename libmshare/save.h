/* SPDX-License-Identifier: MIT */
/* mshare_save() and mshare_load(), by files: save.c, load.c, and image-source.c, which reads. */
#ifndef MSHARE_SAVE_H
#define MSHARE_SAVE_H

#include "image-progress.h"
#include "image.h"
#include "region.h"

/* An image file that was opened: header and table are sound, the chunks have not been looked at. */
struct image_source {
	const char *path;
	int fd;
	struct image_head head;
	struct image_chunk *chunks;
	uint64_t data_bytes; /* of all chunks */
	bool by_ring; /* how the chunks were read last: with io_uring */
	bool direct; /* and past the page cache */
	bool registered; /* into registered buffers, all of them */
};

/* dirfd and path as of openat(2). 0 or -errno with a sentence. */
must_check int source_open(struct image_source *s, int dirfd, const char *path);
void source_close(struct image_source *s);

/* All checksums of a file, without a region. 0 or -errno with a sentence. */
must_check int source_verify(struct image_source *s, const struct mshare_image_attr *attr);

/* attr has every field valid. 0 or -errno with a sentence. */
must_check int region_save(struct region *r, int dirfd, const char *path,
			   const struct mshare_image_attr *attr);
must_check int region_load(struct region *r, int dirfd, const char *path,
			   const struct mshare_image_attr *attr);

#endif
