/* SPDX-License-Identifier: MIT */
/* mshare_protect(): for everybody or not at all. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "control.h"
#include "log.h"
#include "mshare/abi.h"
#include "range.h"
#include "shim-ask.h"

static int check_prot(const struct region *r, int prot)
{
	if (prot & ~(PROT_READ | PROT_WRITE))
		return fail(-EINVAL, "protect: prot 0x%x has more than PROT_READ and PROT_WRITE",
			    (unsigned int)prot);
	if (prot == PROT_WRITE)
		return fail(-EINVAL, "protect: PROT_WRITE needs PROT_READ as well");
	if (!r->writable)
		return fail(-EACCES, "protect: the region is opened for reading only");
	if (!r->ops->hosts_tables)
		return fail(-EOPNOTSUPP,
			    "protect: with the %s backend each process has page tables of its own, "
			    "which nobody else can change",
			    r->ops->name);
	return 0;
}

static int protect_error(const struct range *range, int err)
{
	switch (err) {
	case -EBUSY:
		return fail(err, "protect: a process has the region attached without this host's "
				 "page tables, or mapped by itself with more rights");
	case -ENOTCONN:
		return fail(err, "protect: nobody is attached");
	case -ETIMEDOUT:
		return fail(err, "protect: the host process does not answer; is it stopped?");
	case -ENOMEM:
		return fail(err,
			    "protect: %llu bytes from %lld on: no memory, or the host process has "
			    "too many mappings (vm.max_map_count)",
			    (unsigned long long)range->len, (long long)range->off);
	case -EPERM:
		return fail(err, "protect: the memfd is sealed against writing");
	case -EMFILE:
	case -ENFILE:
		return fail(err, "protect: no descriptor is left to reach the kernel module");
	default:
		return fail(-EOPNOTSUPP, "protect: no host process to do it (%s)",
			    strerrordesc_np(-err));
	}
}

static uint32_t view_rights(int prot)
{
	return (prot & PROT_READ ? MSHARE_VIEW_READ : 0) |
	       (prot & PROT_WRITE ? MSHARE_VIEW_WRITE : 0);
}

/* No access is for whole tables: such entries must not be met by who shares them. */
static uint64_t unit_of(const struct region *r, int prot)
{
	return prot == PROT_NONE ? r->grid : page_sizes()->base;
}

int region_protect(struct region *r, off_t off, uint64_t len, int prot)
{
	struct shim_request request = { .operation = MSHARE_ASK_PROTECT,
					.argument = view_rights(prot) };
	struct range range;
	int err = check_prot(r, prot);

	if (!err)
		err = range_find(r, "protect", off, len, &range);
	if (!err)
		err = range_check(&range, "protect", unit_of(r, prot));
	if (err || !range.len)
		return err;
	request.off = (uint64_t)range.off;
	err = align_up(range.len, unit_of(r, prot), &request.len);
	if (!err)
		err = shim_ask_host(r, &request);
	return err ? protect_error(&range, err) : 0;
}
