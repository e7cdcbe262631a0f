/* SPDX-License-Identifier: MIT */
/* The processes of a command that was started in a process group of its own. */
#ifndef TEST_MEMBERS_H
#define TEST_MEMBERS_H

#include <sched.h>
#include <sys/types.h>

/*
 * Counts those that are no zombies, and tells the processors that some are confined to, one each.
 */
int members(pid_t group, cpu_set_t *confined);

/* Kills the command, and waits until its processes are gone. */
void kill_bench(pid_t pid);

#endif
