/* SPDX-License-Identifier: MIT */
/*
 * mshare_advise(). What is about the object works from any process for all; what is about page
 * tables is the host's to do, where there is one; what is about one process's mapping is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "collapse.h"
#include "control.h"
#include "log.h"
#include "mshare/abi.h"
#include "probe.h"
#include "shim-ask.h"
#include "shim-parts.h"
#include "window.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* A host answers in time for so much, also if it pages that out to a slow disk. */
#define ASK_STEP (64 * MIB)

/*
 * The kernel cuts each read-ahead to what is usual for the device, or to its largest transfer if
 * that is more: 128 KiB, unless somebody has made both less.
 */
#define READ_AHEAD_STEP ((off_t)(128 * KIB))

/* How often a huge page is tried whose base pages are in use at this moment. */
#define COLLAPSE_TRIES 5

static const char call[] = "advise";

/* Through a mapping of its own: madvise(2) does there what it would anywhere. */
static int advise_object(struct region *r, const struct range *range, int advice)
{
	struct window w;
	int err = window_open(r, call, range, PROT_READ, &w);

	if (err)
		return err;
	err = sys_madvise(w.addr, w.len, advice);
	window_close(&w);
	return err ? fail(err, "advise: the kernel refused (%s)", strerrordesc_np(-err)) : 0;
}

static int read_ahead(const struct region *r, off_t off, off_t end)
{
	int err = 0;

	for (off_t next; !err && off < end; off = next) {
		next = end - off < READ_AHEAD_STEP ? end : off + READ_AHEAD_STEP;
		err = sys_readahead(r->fd, off, next - off);
	}
	return err;
}

/*
 * The first data at or behind off, up to the next hole; false: there is none before end. Where
 * holes cannot be seen, all is data.
 */
static bool next_data(int fd, off_t off, off_t end, struct range *out)
{
	off_t data = sys_seek_data(fd, off);
	off_t hole;

	if (data == -ENXIO || data >= end)
		return false;
	out->off = data < 0 ? off : data;
	hole = sys_seek_hole(fd, out->off);
	out->len = (uint64_t)((hole > out->off && hole < end ? hole : end) - out->off);
	return true;
}

/* Not of holes, which would fill memory with zero pages. */
static int read_data_ahead(const struct region *r, const struct range *range)
{
	/* With an offset of its own: that of the region's descriptor may be in use by others. */
	cleanup_fd int own = sys_reopen(r->fd, O_RDONLY | O_NONBLOCK);
	off_t off = range->off, end = off + (off_t)range->len;
	struct range data;
	int err = 0;

	while (!err && off < end && next_data(own, off, end, &data)) {
		off = data.off + (off_t)data.len;
		err = read_ahead(r, data.off, off);
	}
	return err;
}

static int will_need(struct region *r, const struct range *range)
{
	int err;

	if (r->kind == REGION_HUGETLB)
		return 0; /* always in memory */
	if (r->kind == REGION_SHMEM)
		return advise_object(r, range, MADV_WILLNEED);
	err = read_data_ahead(r, range);
	return err ? fail(err, "advise: reading ahead failed (%s)", strerrordesc_np(-err)) : 0;
}

static bool may_collapse(const struct region *r, const struct range *range)
{
	return r->pages == MSHARE_PAGES_THP && is_multiple((uint64_t)range->off, r->grid);
}

static int populate(struct region *r, const struct range *range)
{
	int prot = r->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	struct attachment part = { .region = r, .prot = prot };
	struct window w;
	int err = window_open(r, call, range, prot, &w);

	if (err)
		return err;
	part.addr = w.addr;
	part.len = w.len;
	if (!may_collapse(r, range) ||
	    collapse_populate(w.addr, w.len, page_sizes()->pmd, r->writable))
		err = backend_populate(&part);
	window_close(&w);
	return err;
}

/* -EINVAL: there is nothing in it, or there cannot be more. */
static int collapse_piece(char *addr, size_t pmd)
{
	int err = -EAGAIN;

	for (int i = 0; i < COLLAPSE_TRIES && (err == -EAGAIN || err == -EBUSY); i++)
		err = sys_madvise(addr, pmd, MADV_COLLAPSE);
	return err == -EINVAL ? 0 : err;
}

static int collapse_pieces(const struct region *r, const struct range *range,
			   const struct window *w)
{
	/* As for read_data_ahead(); without one all pieces are tried, the empty ones too. */
	cleanup_fd int own = sys_reopen(r->fd, O_RDONLY | O_NONBLOCK);
	uint64_t pmd = page_sizes()->pmd;
	int err = 0;

	for (uint64_t done = 0; !err && done + pmd <= range->len; done += pmd) {
		off_t data = sys_seek_data(own, range->off + (off_t)done);

		if (data == -ENXIO)
			break;
		if (data > range->off + (off_t)(done + pmd)) {
			done = align_down((uint64_t)(data - range->off), pmd) - pmd;
			continue;
		}
		err = collapse_piece(w->addr + done, pmd);
	}
	return err;
}

static int collapse(struct region *r, const struct range *range)
{
	struct window w;
	int err;

	if (r->kind == REGION_HUGETLB)
		return 0; /* they are */
	if (r->kind == REGION_FILE || !probe_thp_collapse())
		return fail(-EOPNOTSUPP, "advise: the kernel makes no huge pages of %s",
			    r->kind == REGION_FILE ? "regular files" : "shared memory");
	err = range_check(range, call, page_sizes()->pmd);
	if (!err)
		err = window_open(r, call, range, PROT_READ, &w);
	if (err)
		return err;
	err = collapse_pieces(r, range, &w);
	window_close(&w);
	if (err == -EAGAIN || err == -EBUSY)
		return fail(-EBUSY, "advise: pages are in use, not all became huge");
	return err ? fail(-ENOMEM, "advise: no free huge pages, or a limit of a cgroup") : 0;
}

static int host_error(int err)
{
	if (err == -ETIMEDOUT)
		return fail(err, "advise: the host process does not answer; is it stopped?");
	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE || err == -EPERM)
		return fail(err, "advise: %s", strerrordesc_np(-err));
	if (err == -ENXIO)
		return fail(err, "advise: the end of the region has moved before the range's");
	if (err == -EINVAL)
		return fail(-EOPNOTSUPP, "advise: this kernel does not know it");
	return fail(-EOPNOTSUPP, "advise: no host process to do it (%s)", strerrordesc_np(-err));
}

/* By the one process whose page tables map the pages. Its end is rounded up to unit, bytes. */
static int by_host(struct region *r, const struct range *range, int advice, uint64_t unit)
{
	uint64_t end = (uint64_t)range->off + range->len;
	int err = 0;

	if (!r->ops->hosts_tables)
		return fail(-EOPNOTSUPP,
			    "advise: with the %s backend it would reach the mapping of one process "
			    "only: use madvise(2) there",
			    r->ops->name);
	if (!r->writable)
		return fail(-EACCES, "advise: the region is opened for reading only");
	for (uint64_t off = (uint64_t)range->off; !err && off < end; off += ASK_STEP) {
		uint64_t len = end - off < ASK_STEP ? end - off : ASK_STEP;
		struct shim_request request = { .operation = MSHARE_ASK_ADVISE,
						.argument = (uint32_t)advice,
						.off = off };

		err = align_up(len, unit, &request.len);
		if (!err)
			err = shim_ask_host(r, &request);
	}
	return err ? host_error(err) : 0;
}

/* By whole tables: one that is linked is dumped whole. */
static int by_host_for_dumps(struct region *r, const struct range *range, int advice)
{
	int err = 0;

	if (r->ops->hosts_tables && !shim_has_feature(MSHARE_FEATURE_DONTDUMP))
		err = fail(-EOPNOTSUPP,
			   "advise: the mshare module that is loaded is too old for it");
	else if (r->ops->hosts_tables)
		err = range_check(range, call, r->grid);
	return err ? err : by_host(r, range, advice, r->grid);
}

/* Those about the object, not about who maps it. */
static bool is_about_object(int advice)
{
	return advice == MSHARE_ADVICE_WILLNEED || advice == MSHARE_ADVICE_POPULATE ||
	       advice == MSHARE_ADVICE_COLLAPSE;
}

static int advise(struct region *r, const struct range *range, int advice)
{
	int err = is_about_object(advice) ? shim_refuse_parts(r, call) : 0;
	uint64_t page = page_sizes()->base;

	if (err)
		return err;
	switch (advice) {
	case MSHARE_ADVICE_WILLNEED:
		return will_need(r, range);
	case MSHARE_ADVICE_POPULATE:
		return populate(r, range);
	case MSHARE_ADVICE_COLLAPSE:
		return collapse(r, range);
	case MSHARE_ADVICE_COLD:
		return by_host(r, range, MADV_COLD, page);
	case MSHARE_ADVICE_PAGEOUT:
		return by_host(r, range, MADV_PAGEOUT, page);
	case MSHARE_ADVICE_HUGEPAGE:
		return by_host(r, range, MADV_HUGEPAGE, page);
	case MSHARE_ADVICE_NOHUGEPAGE:
		return by_host(r, range, MADV_NOHUGEPAGE, page);
	case MSHARE_ADVICE_DONTDUMP:
		return by_host_for_dumps(r, range, MADV_DONTDUMP);
	default:
		return by_host_for_dumps(r, range, MADV_DODUMP);
	}
}

int region_advise(struct region *r, off_t off, uint64_t len, int advice)
{
	struct range range;
	int err;

	if (advice < MSHARE_ADVICE_WILLNEED || advice > MSHARE_ADVICE_DODUMP)
		return fail(-EINVAL, "advise: %d is not an mshare_advice value", advice);
	if (advice == MSHARE_ADVICE_DISCARD)
		return region_flush(r, off, len, MSHARE_FLUSH_DISCARD);
	err = range_find(r, call, off, len, &range);
	if (!err)
		err = range_check(&range, call, range_page(r));
	return err || !range.len ? err : advise(r, &range, advice);
}
