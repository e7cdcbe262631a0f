/* SPDX-License-Identifier: MIT */
/*
 * One system call, or allocation, of the library fails: the program is linked with --wrap for each.
 */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

/* Instead of an error: a transfer that moves a part. */
#define FAULT_SHORT 0

/* From now on the n-th call fails with err. */
void faults_arm(unsigned long n, int err);

/* The name of the one that failed; NULL: there were fewer. No more of them fail. */
const char *faults_disarm(void);

/* seen: told of each call before it is made, NULL: of none. */
typedef void faults_seen(const char *name);
void faults_watch(faults_seen *seen);

#endif
