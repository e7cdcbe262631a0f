/* SPDX-License-Identifier: MIT */
/* Being the process whose page tables the kernel module shares. */
#ifndef MSHARE_HOST_TABLES_H
#define MSHARE_HOST_TABLES_H

#include "util.h"

/*
 * Maps the object, registers a view for every protection its descriptor allows, writes the result
 * to `status` and closes it, and stays until nobody is attached. 0, also when others host the
 * object already; or -errno.
 */
must_check int tables_serve(int object, int status);

#endif
