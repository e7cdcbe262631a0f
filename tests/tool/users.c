/* SPDX-License-Identifier: MIT */
#include "users.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "tool.h"

struct visit {
	mshare_t region;
	struct signpost attached;
};

static void stay(void *arg)
{
	struct visit *visit = arg;
	struct stat file;
	volatile char *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(fstat(mshare_fd(visit->region), &file) == 0);
	p = mshare_attach(visit->region, NULL, 0, (size_t)file.st_size, PROT_READ | PROT_WRITE, 0);
	check(p != MAP_FAILED);
	for (off_t off = 0; off < file.st_size; off += sysconf(_SC_PAGESIZE))
		(void)p[off];
	signpost_raise(&visit->attached);
	for (;;)
		pause();
}

void users_come(struct users *u, mshare_t r, int count)
{
	struct visit visit = { .region = r };

	signpost_make(&visit.attached);
	for (u->count = 0; u->count < count; u->count++)
		u->pids[u->count] = child_start(stay, &visit);
	for (int i = 0; i < count; i++)
		signpost_await(&visit.attached);
	signpost_close(&visit.attached);
}

void users_go(struct users *u)
{
	while (u->count)
		child_kill(u->pids[--u->count]);
}

struct json_object *region_seen(struct json_object *census, mshare_t r)
{
	struct json_object *regions = member(census, "regions");
	char device[32];
	struct stat file;

	assert_int_equal(fstat(mshare_fd(r), &file), 0);
	snprintf(device, sizeof(device), "%x:%x", major(file.st_dev), minor(file.st_dev));
	for (size_t i = 0; i < json_object_array_length(regions); i++) {
		struct json_object *o = json_object_array_get_idx(regions, i);

		if (number_of(o, "inode") == file.st_ino && !strcmp(string_of(o, "device"), device))
			return o;
	}
	fail_msg("no inode %lu in %s", (unsigned long)file.st_ino,
		 json_object_to_json_string(census));
	return NULL;
}
