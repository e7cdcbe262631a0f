/* SPDX-License-Identifier: MIT */
/* Mounts that only one process of a test sees. */
#ifndef TEST_MOUNTS_H
#define TEST_MOUNTS_H

/* Skips the case where private_mounts() cannot work, saying that it is needed to do `what`. */
void need_private_mounts(const char *what);

/* In a child: what it mounts and unmounts from now on goes with it. */
void private_mounts(void);

#endif
