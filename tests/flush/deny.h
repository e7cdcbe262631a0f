/* SPDX-License-Identifier: MIT */
/* Taking system calls away from this process, for good: call it in a child. */
#ifndef TEST_FLUSH_DENY_H
#define TEST_FLUSH_DENY_H

/* From now on the system call ends in -err. */
void deny_syscall(int number, int err);

/* Runs body in a child and returns what it returned, or 128 + the signal that killed it. */
int in_child(int (*body)(void));

#endif
