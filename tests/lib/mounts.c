/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"

/* Containers may forbid it to root; in a chroot whose root is no mount point it is EINVAL. */
static bool become_private(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void try_it(void *unused)
{
	(void)unused;
	_exit(!become_private());
}

void need_private_mounts(const char *what)
{
	char reason[160];
	int status;
	pid_t pid = child_start(try_it, NULL);

	check(waitpid(pid, &status, 0) == pid);
	snprintf(reason, sizeof(reason), "needs root, and the right to make private mounts, %s",
		 what);
	if (status != 0)
		skip_case(reason);
}

void private_mounts(void)
{
	check(check_in_child);
	check(become_private());
}
