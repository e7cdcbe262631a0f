/* SPDX-License-Identifier: MIT */
/* What the host of a region's page tables does for all who are attached. */
#ifndef MSHARE_SHIM_ASK_H
#define MSHARE_SHIM_ASK_H

#include "region.h"

struct shim_request {
	uint32_t operation; /* MSHARE_ASK_* */
	uint32_t argument;
	uint64_t off;
	uint64_t len;
};

/* Starts a host for the region, or waits until the one does that another process starts. 0 or -errno.
 */
must_check int shim_start_host(const struct region *r);

/* Asks the host of the view that an attachment with prot would have: 0, or -errno of abi.h. */
must_check int shim_ask(const struct region *r, int prot, const struct shim_request *request);

/* For a region open for writing; starts a host where there is none. As shim_ask(), and what
 * starting one may fail with; -EPIPE: hosts keep dying. */
must_check int shim_ask_host(const struct region *r, const struct shim_request *request);

#endif
