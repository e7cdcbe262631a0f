/* SPDX-License-Identifier: MIT */
/* What `mshare save` and `mshare load` share: options, the bar, signals, and the report. */
#ifndef MSHARE_TOOL_IMAGE_H
#define MSHARE_TOOL_IMAGE_H

#include "term.h"
#include "tool.h"

struct image_run {
	struct mshare_image_attr attr; /* progress and arg are set: they draw the bar */
	bool json;
	bool replace; /* load */
	bool check; /* load */
	uint32_t mode; /* load: permissions of a new region; 0: the default */
	const char *file;
	const char *name; /* NULL with check */
	const char *verb; /* on the bar: "saving" */
	struct progress bar;
	int64_t started; /* nanoseconds */
};

/* -1 to go on, or the exit status to leave with. Operands stay at optind. */
must_check int image_options(const struct command *self, int argc, char **argv,
			     struct image_run *run);

/* From here on SIGINT, SIGTERM and SIGHUP stop the call at its next chunk, so that it can clean up.
 */
void image_begin(struct image_run *run);

/* Removes the bar; says what was done, `done` as in "saved to". region may be NULL. 0, or the exit
 * status. */
struct image_facts {
	uint64_t region_size;
	uint64_t file_size;
	bool io_uring;
	bool direct;
	bool registered;
};
void image_end(struct image_run *run);
void image_report(const struct image_run *run, const struct image_facts *facts, const char *text);

/* What the last save or load through the handle used, and the sizes of both sides. */
must_check int image_facts(const struct command *self, const struct image_run *run, mshare_t region,
			   struct image_facts *facts);

#endif
