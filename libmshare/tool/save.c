/* SPDX-License-Identifier: MIT */
/* mshare save: a named region into an image file. */
#include <fcntl.h>
#include <stdio.h>

#include "image-run.h"
#include "names.h"

static int save(const struct command *self, struct image_run *run)
{
	mshare_t region = mshare_open(run->name, O_RDONLY, NULL);
	struct image_facts facts;
	int status = 0;

	if (!region)
		return tool_failed(self, "%s", mshare_errmsg());
	image_begin(run);
	if (mshare_save(region, AT_FDCWD, run->file, &run->attr)) {
		image_end(run);
		status = tool_failed(self, "%s", mshare_errmsg());
	}
	image_end(run);
	if (!status)
		status = image_facts(self, run, region, &facts);
	if (!status)
		image_report(run, &facts, run->name);
	mshare_close(region);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct image_run run = { .verb = "saving" };
	char name[REGION_NAME_SIZE];
	int status = image_options(self, argc, argv, &run);

	if (status >= 0)
		return status;
	if (optind != argc - 2)
		return tool_misused(self, "a region and a file are needed: mshare save NAME FILE");
	run.name = region_name(argv[optind], name);
	run.file = argv[optind + 1];
	return save(self, &run);
}

const struct command command_save = {
	.name = "save",
	.summary = "write a region to a file",
	.help = "usage: mshare save NAME FILE [--depth N] [--cached] [--json]\n"
		"\n"
		"Writes what the region holds to an image file, mshare-image(5), which mshare load\n"
		"reads. FILE is the old file, or nothing, until the new one is complete and durable.\n"
		"Processes that go on storing meanwhile get a file with some of it.\n"
		"\n"
		"  --depth N  chunks of 2 MiB in flight, 1 to 64; default 8\n"
		"  --cached   write through the page cache instead of past it\n"
		"  --json     one object: file, name, region_size, file_size, seconds, io_uring,\n"
		"             direct, registered\n"
		"\n"
		"Example, before the machine goes down:\n"
		"  mshare save /pool /var/lib/app/pool.image\n",
	.run = run,
};
