/* SPDX-License-Identifier: MIT */
/* mshare_protect(): for everybody or not at all. */
#include <errno.h>
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

/* No access is for whole tables: such entries must not be met by who shares them. */
static uint64_t unit_of(const struct region *r, int prot)
{
	return prot == PROT_NONE ? r->grid : page_sizes()->base;
}

int region_protect(struct region *r, off_t off, uint64_t len, int prot)
{
	struct shim_request request = { .operation = MSHARE_ASK_PROTECT,
					.argument = shim_rights(prot) };
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
	return err ? shim_ask_failed("protect", &range, err) : 0;
}
