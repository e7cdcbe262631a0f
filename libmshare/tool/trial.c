/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* Looks at the region and gives it back. */
static void judge(mshare_t r, struct trial *t)
{
	struct mshare_stat st = { .size = sizeof(st) };

	t->made = r && !mshare_stat(r, &st);
	if (t->made) {
		t->backend = st.backend;
		t->page_size = st.page_size;
	}
	snprintf(t->why, sizeof(t->why), "%s", t->made ? st.reason : mshare_errmsg());
	if (r)
		mshare_close(r);
}

/* No signal may end the process while the name exists. */
static void try_named(struct trial *t, uint64_t size)
{
	char name[40];
	sigset_t all;
	sigset_t before;
	mshare_t r;

	snprintf(name, sizeof(name), "/mshare-doctor-%d", (int)getpid());
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	r = mshare_create(name, size, NULL);
	if (r)
		mshare_unlink(name);
	sigprocmask(SIG_SETMASK, &before, NULL);
	judge(r, t);
}

/* A file without a name, in the first directory that is not memory itself. */
static int disk_file(uint64_t size)
{
	const char *const dirs[] = { getenv("TMPDIR"), "/tmp", "/var/tmp", getenv("HOME"), "." };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = dirs[i] ? sys_open(dirs[i], O_TMPFILE | O_RDWR, 0600) : -ENOENT;
		uint64_t type;

		if (fd < 0)
			continue;
		if (!sys_fs_type(fd, &type) && type != TMPFS_MAGIC && type != RAMFS_MAGIC &&
		    !sys_ftruncate(fd, (off_t)size))
			return fd;
		sys_close(fd);
	}
	return -ENOENT;
}

static void try_file(struct trial *t, uint64_t size)
{
	cleanup_fd int fd = disk_file(size);

	if (fd < 0)
		snprintf(t->why, sizeof(t->why),
			 "not tried: no directory on a disk lets us make a file (TMPDIR, /tmp, "
			 "/var/tmp, HOME, .)");
	else
		judge(mshare_from_fd(fd, NULL), t);
}

void trial_run(struct trial trials[TRIAL_COUNT], uint64_t size)
{
	trials[0].region = "anonymous";
	judge(mshare_create(NULL, size, NULL), &trials[0]);
	trials[1].region = "named";
	try_named(&trials[1], size);
	trials[2].region = "file";
	try_file(&trials[2], size);
}
