/* SPDX-License-Identifier: MIT */
/* The mshare-host processes of the machine, whoever has started them: for guests. */
#ifndef TEST_HELPER_H
#define TEST_HELPER_H

#include <sys/types.h>

/* How many there are; calls see(), if given, with each. */
int hosts(void (*see)(pid_t pid));
void kill_host(pid_t pid);

#endif
