/* SPDX-License-Identifier: MIT */
#include "orphans.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

static bool is_subreaper(void)
{
	int subreaper = 0;

	return !prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) && subreaper;
}

/* A server's processes are often forks of process 1, which would get their orphans. Of a foreign
 * process 1 that has other rights this cannot be looked at, and need not. */
static bool is_program_of_init(void)
{
	struct stat own, first;

	return !stat("/proc/self/exe", &own) && !stat("/proc/1/exe", &first) &&
	       own.st_dev == first.st_dev && own.st_ino == first.st_ino;
}

bool orphans_stay_here(void)
{
	int entered = sys_errno();
	bool stay = getpid() == 1 || is_subreaper() || is_program_of_init();

	sys_set_errno(entered);
	return stay;
}
