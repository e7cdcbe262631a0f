/* SPDX-License-Identifier: MIT */
/* What the host of a region's page tables does for all who are attached. */
#ifndef MSHARE_SHIM_ASK_H
#define MSHARE_SHIM_ASK_H

#include "range.h"

/* -EOWNERDEAD. */
#define SHIM_ORPHANED                                                                               \
	"the process that hosted the page tables has ended, and with it what mshare_map() had put " \
	"into the region, which attached processes still see: they have to detach first"

struct shim_request {
	uint32_t operation; /* MSHARE_ASK_* */
	uint32_t argument;
	uint64_t off;
	uint64_t len;
	int map_fd; /* MSHARE_ASK_MAP, else 0 */
	uint64_t map_off;
};

/* The argument of PROTECT and MAP. */
uint32_t shim_rights(int prot);
/* Whether the module that is loaded can do this, MSHARE_FEATURE_*. */
bool shim_has_feature(uint64_t feature);
/* Starts a host for the region, or waits for one that another process starts. 0 or -errno. */
must_check int shim_start_host(const struct region *r);

/* Asks the host of the view that an attachment with prot would have: 0, or -errno of abi.h. */
must_check int shim_ask(const struct region *r, int prot, const struct shim_request *request);

/*
 * For a region open for writing; starts a host where there is none. As shim_ask(), and what
 * starting one may fail with; -EPIPE: hosts keep dying.
 */
must_check int shim_ask_host(const struct region *r, const struct shim_request *request);

/* A sentence for what PROTECT and MAP failed with; returns what the caller is told. */
must_check int shim_ask_failed(const char *call, const struct range *range, int err);

#endif
