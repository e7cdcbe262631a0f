/* SPDX-License-Identifier: MIT */
/* Being the host of one region: its huge pages, for as long as somebody uses it. */
#ifndef MSHARE_HOST_SERVE_H
#define MSHARE_HOST_SERVE_H

#include "util.h"

/*
 * Serves the object behind both descriptors until nobody uses it or somebody else is its host: 0,
 * or -errno. lock_fd is read-write and an open file description of this process alone, since the
 * locks belong to it. view_fd is read-only: mappings made from it do not count as writable, so they
 * never keep the application from sealing the object.
 *
 * The process must have the right to write to the object by its owner or mode, without
 * capabilities: mincore(2) tells the truth to nobody else, and a sparse region would be filled up.
 */
must_check int serve(int lock_fd, int view_fd);

#endif
