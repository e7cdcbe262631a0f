/* SPDX-License-Identifier: MIT */
/* Removes what a test program leaves in /dev/shm when it fails or is killed. */
#ifndef TEST_JANITOR_H
#define TEST_JANITOR_H

/*
 * Starts a process that waits for the end of this one, and of every process it forks, and then
 * removes the names in /dev/shm that begin with `prefix`. It is nobody's child and in a session of
 * its own, so that neither wait(2) nor what kills the test finds it. Exits where it cannot start.
 */
void janitor_start(const char *prefix);

#endif
