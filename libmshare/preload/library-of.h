/* SPDX-License-Identifier: MIT */
/*
 * Which library code belongs to: a path, or NULL where the dynamic linker does not know. Without
 * its lock where glibc can do that (2.35), since a constructor that runs under it may wait for a
 * thread that maps.
 */
#ifndef MSHARE_PRELOAD_LIBRARY_OF_H
#define MSHARE_PRELOAD_LIBRARY_OF_H

const char *library_of(const void *code);

#endif
