/* SPDX-License-Identifier: MIT */
#include "shim-ask.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ctl.h"
#include "host.h"
#include "log.h"
#include "mshare/abi.h"

/* How long a host may take. One that is stopped never answers. */
#define TIMEOUT_MS 10000

/* A host that dies is followed by another, which may die as well. */
#define TRIES 4

uint32_t shim_rights(int prot)
{
	return (prot & PROT_READ ? MSHARE_VIEW_READ : 0) |
	       (prot & PROT_WRITE ? MSHARE_VIEW_WRITE : 0);
}

int shim_ask(const struct region *r, int prot, const struct shim_request *request)
{
	struct mshare_ctl_ask ask = {
		.size = sizeof(ask),
		.fd = r->fd,
		.prot = prot & PROT_WRITE ? MSHARE_VIEW_READ | MSHARE_VIEW_WRITE : MSHARE_VIEW_READ,
		.operation = request->operation,
		.argument = request->argument,
		.off = request->off,
		.len = request->len,
		.timeout_ms = TIMEOUT_MS,
		.map_fd = request->map_fd,
		.map_off = request->map_off,
	};
	cleanup_fd int device = ctl_open();

	return device < 0 ? device : mshare_ctl(device, MSHARE_CTL_ASK, &ask);
}

bool shim_has_feature(uint64_t feature)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = -1 };
	cleanup_fd int device = ctl_open();

	return device >= 0 && !mshare_ctl(device, MSHARE_CTL_QUERY, &query) &&
	       (query.features & feature);
}

int shim_start_host(const struct region *r)
{
	return host_start_tables(r->fd, r->name[0] ? r->name : "(unnamed)");
}

int shim_ask_host(const struct region *r, const struct shim_request *request)
{
	int err = 0;

	for (int i = 0; i < TRIES && !err; i++) {
		err = shim_ask(r, PROT_READ | PROT_WRITE, request);
		if (err != -ENOENT && err != -EPIPE)
			return err;
		/* Who has lost its host is attached all the same: the next one knows of it. */
		err = shim_start_host(r);
	}
	return err ? err : -EPIPE;
}

int shim_ask_failed(const char *call, const struct range *range, int err)
{
	switch (err) {
	case -EBUSY:
		return fail(err,
			    "%s: a process has the region attached without this host's page "
			    "tables, or has mapped it by itself",
			    call);
	case -EOWNERDEAD:
		return fail(-EBUSY, "%s: %s", call, SHIM_ORPHANED);
	case -ENOTCONN:
		return fail(err, "%s: nobody is attached", call);
	case -ETIMEDOUT:
		return fail(err, "%s: the host process does not answer; is it stopped?", call);
	case -ENOMEM:
		return fail(err,
			    "%s: %llu bytes from %lld on: no memory, or the host process has too "
			    "many mappings (vm.max_map_count)",
			    call, (unsigned long long)range->len, (long long)range->off);
	case -ENXIO:
		return fail(err, "%s: offset %lld and length %llu pass the end, which has moved",
			    call, (long long)range->off, (unsigned long long)range->len);
	case -EPERM:
		return fail(err, "%s: the memfd is sealed against writing", call);
	case -EMFILE:
	case -ENFILE:
		return fail(err, "%s: no descriptor is left to reach the kernel module", call);
	default:
		return fail(-EOPNOTSUPP, "%s: no host process to do it (%s)", call,
			    strerrordesc_np(-err));
	}
}
