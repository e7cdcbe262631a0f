/* SPDX-License-Identifier: MIT */
/* Control groups, version 2: where processes are, and moving them. */
#ifndef MSHARE_CGROUP_H
#define MSHARE_CGROUP_H

#include "util.h"

/*
 * cgroup.procs, open for writing, of the group that pid is in now; 0: this process. Or -errno with
 * a sentence: -ESRCH; -EACCES; -EOPNOTSUPP: the memory controller belongs to version 1, or the
 * group cannot be seen from here; -EMFILE, -ENFILE, -ENOMEM.
 */
must_check int cgroup_open_procs(pid_t pid);

#endif
