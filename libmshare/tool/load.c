/* SPDX-License-Identifier: MIT */
/*
 * mshare load: an image file into a region. A new region gets its name when it is complete, so that
 * nobody can open half of one; until then it has none, and goes with a command that is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"
#include "image-run.h"
#include "ioqueue.h"
#include "log.h"
#include "names.h"
#include "save.h"

#define TEMPORARY_SIZE 48

static int check(const struct command *self, struct image_run *run)
{
	struct image_facts facts = { 0 };
	struct image_source source;
	int err;

	if (source_open(&source, AT_FDCWD, run->file))
		return tool_failed(self, "%s", fail_reason());
	image_begin(run);
	run->attr.depth = run->attr.depth ? run->attr.depth : IO_DEPTH_DEFAULT;
	err = source_verify(&source, &run->attr);
	image_end(run);
	facts.region_size = source.head.region_bytes;
	facts.file_size = source.head.file_bytes;
	facts.io_uring = source.by_ring;
	facts.direct = source.direct;
	facts.registered = source.registered;
	source_close(&source);
	if (err)
		return tool_failed(self, "%s", fail_reason());
	image_report(run, &facts, "sound");
	return 0;
}

/* 0 with the facts for image_report(), or the exit status. */
static int fill(const struct command *self, struct image_run *run, mshare_t region,
		struct image_facts *facts)
{
	if (mshare_load(region, AT_FDCWD, run->file, &run->attr)) {
		image_end(run);
		return tool_failed(self, "%s", mshare_errmsg());
	}
	image_end(run);
	return image_facts(self, run, region, facts);
}

static int load_existing(const struct command *self, struct image_run *run,
			 struct image_facts *facts)
{
	mshare_t region = mshare_open(run->name, O_RDWR, NULL);
	int status;

	if (!region)
		return tool_failed(self, "%s", mshare_errmsg());
	status = fill(self, run, region, facts);
	mshare_close(region);
	return status;
}

/* In the directory where the object is: /dev/shm, or a hugetlbfs mount. */
static int give_name(const struct command *self, const char *name, mshare_t region)
{
	char path[PATH_MAX + REGION_NAME_SIZE];
	char link[32];
	ssize_t length;
	char *slash;
	int err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", mshare_fd(region));
	length = readlink(link, path, PATH_MAX - 1);
	if (length < 0)
		return tool_failed(self, "the new region cannot be found: %s", strerror(errno));
	path[length] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash ? slash : path, REGION_NAME_SIZE, "%s", name);
	err = sys_link_fd(mshare_fd(region), path);
	return err ? tool_failed(self, "region \"%s\" cannot be given its name: %s", name,
				 strerror(-err))
		   : 0;
}

/* The size of the region that was saved. */
static int saved_size(const struct command *self, const char *file, uint64_t *size)
{
	struct image_source source;

	if (source_open(&source, AT_FDCWD, file))
		return tool_failed(self, "%s", fail_reason());
	*size = source.head.region_bytes;
	source_close(&source);
	return 0;
}

/* Where a file system has no objects without a name: what a killed command leaves has this one. */
static mshare_t make_temporary(size_t size, const struct mshare_attr *attr, char *temporary)
{
	uint64_t number;

	if (sys_random(&number))
		number = (uint64_t)getpid();
	snprintf(temporary, TEMPORARY_SIZE, "/.mshare-load-%016" PRIx64, number);
	return mshare_create(temporary, size, attr);
}

static int load_new(const struct command *self, struct image_run *run, struct image_facts *facts)
{
	char temporary[TEMPORARY_SIZE] = "";
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t region;
	uint64_t size = 0;
	int status = saved_size(self, run->file, &size);

	if (status)
		return status;
	attr.mode = run->mode;
	region = region_create_unlinked(run->name, size, &attr);
	if (!region && errno == EOPNOTSUPP)
		region = make_temporary(size, &attr, temporary);
	if (!region)
		return tool_failed(self, "%s", mshare_errmsg());
	status = fill(self, run, region, facts);
	if (!status)
		status = give_name(self, run->name, region);
	if (temporary[0] && mshare_unlink(temporary))
		tool_warn(self, "%s", mshare_errmsg());
	mshare_close(region);
	return status;
}

static int load(const struct command *self, struct image_run *run)
{
	mshare_t present = mshare_open(run->name, O_RDONLY, NULL);
	struct image_facts facts;
	int status;

	if (present)
		mshare_close(present);
	else if (errno != ENOENT)
		return tool_failed(self, "%s", mshare_errmsg());
	if (present && !run->replace)
		return tool_failed(self,
				   "region \"%s\" exists: --replace loads into it, mshare rm "
				   "removes it",
				   run->name);
	if (present && run->mode)
		return tool_failed(self,
				   "region \"%s\" exists, and keeps its permissions: leave out "
				   "--mode, or change them with chmod",
				   run->name);
	image_begin(run);
	status = present ? load_existing(self, run, &facts) : load_new(self, run, &facts);
	image_end(run);
	if (!status)
		image_report(run, &facts, run->name);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct image_run run = { .verb = "loading" };
	char name[REGION_NAME_SIZE];
	int status = image_options(self, argc, argv, &run);

	if (status >= 0)
		return status;
	if (optind != argc - (run.check ? 1 : 2))
		return tool_misused(self, run.check ? "one file is needed: mshare load --check FILE"
						    : "a file and a region are needed: mshare load "
						      "FILE NAME");
	if (run.check && run.mode)
		return tool_misused(self, "--check makes no region, which --mode is for");
	run.file = argv[optind];
	if (run.check)
		return check(self, &run);
	run.name = region_name(argv[optind + 1], name);
	return load(self, &run);
}

const struct command command_load = {
	.name = "load",
	.summary = "make a region from a file",
	.help = "usage: mshare load FILE NAME [--replace | --mode OCTAL] [--depth N] [--cached] [--json]\n"
		"       mshare load --check FILE [--depth N] [--cached] [--json]\n"
		"\n"
		"Reads an image file that mshare save wrote. The region is new, and gets its name\n"
		"when it is complete. A file that is damaged or cut off is refused, with the chunk\n"
		"where that shows.\n"
		"\n"
		"The image holds neither owner nor mode: the region belongs to who runs this, which\n"
		"should be the user of the programs that use it.\n"
		"\n"
		"  --replace     if NAME exists, load into it; processes that use it see that happen\n"
		"  --mode OCTAL  permissions of a new region, less the umask; default 600\n"
		"  --check       verify the file, and make no region\n"
		"  --depth N     chunks of 2 MiB in flight, 1 to 64; default 8\n"
		"  --cached      read through the page cache instead of past it\n"
		"  --json        one object: file, name (null with --check), region_size, file_size,\n"
		"                seconds, io_uring, direct, registered\n"
		"\n"
		"Example, when it is up again:\n"
		"  mshare load /var/lib/app/pool.image /pool\n",
	.run = run,
};
