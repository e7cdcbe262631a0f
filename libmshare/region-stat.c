/* SPDX-License-Identifier: MIT */
/* mshare_stat(): what was really obtained. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "handle.h"
#include "host.h"
#include "inspect.h"
#include "log.h"

static uint64_t furthest(const struct attachment *list, long count)
{
	uint64_t end = 0;

	for (long i = 0; i < count; i++) {
		uint64_t this_end = (uint64_t)list[i].off + list[i].len;

		end = this_end > end ? this_end : end;
	}
	return end;
}

static int stat_file(const struct region *r, struct mshare_stat *st)
{
	struct stat file;
	int err = sys_fstat(r->fd, &file);

	if (err)
		return fail(err, "the region's descriptor %d cannot be inspected (error %d)", r->fd,
			    -err);
	st->region_size = (uint64_t)file.st_size;
	st->used = (uint64_t)file.st_blocks * 512;
	return 0;
}

static void stat_region(struct region *r, struct mshare_stat *st)
{
	int host_error = atomic_load(&r->host_error);

	st->page_size = r->page_size;
	st->grid = r->grid;
	st->alignment = r->alignment;
	st->backend = r->ops->id;
	st->pages = r->pages;
	if (!r->writable)
		st->flags |= MSHARE_STAT_F_READ_ONLY;
	if (region_shares_tables(r))
		st->flags |= MSHARE_STAT_F_SHARED_TABLES;
	if (r->kind == REGION_SHMEM && host_present(r->fd) == 1)
		st->flags |= MSHARE_STAT_F_HOST;
	if (atomic_load(&r->direct_used))
		st->flags |= MSHARE_STAT_F_DIRECT;
	if (atomic_load(&r->all_registered))
		st->flags |= MSHARE_STAT_F_REGISTERED;
	if (atomic_load(&r->uring_used))
		st->flags |= MSHARE_STAT_F_IO_URING;
	if (host_error)
		snprintf(st->reason, sizeof(st->reason),
			 "mshare-host cannot be started (%s): huge pages with MSHARE_POPULATE only",
			 host_reason(host_error));
	else
		memcpy(st->reason, r->reason, sizeof(st->reason));
	if (r->ops->stat)
		r->ops->stat(r, st);
	state_lock();
	st->flushes = r->flushes;
	state_unlock();
}

/* Attachments reach at most one page past the end of a file of odd size. */
static void stat_truncation(const struct region *r, const struct attachment *list, long count,
			    struct mshare_stat *st)
{
	if (st->region_size < r->size || st->region_size + r->map_unit <= furthest(list, count))
		st->flags |= MSHARE_STAT_F_TRUNCATED;
}

static void stat_tables(const struct region *r, const struct attachment *list, long count,
			struct mshare_stat *st)
{
	uint64_t hugetlb_page = r->kind == REGION_HUGETLB ? r->page_size : 0;

	for (long i = 0; i < count; i++) {
		const struct inspect_range range = {
			.addr = list[i].addr,
			.len = list[i].len,
			.hugetlb_page = hugetlb_page,
			.linked = list[i].linked,
		};

		if (inspect_tables(&range, &st->table_bytes, &st->huge_bytes)) {
			st->table_bytes = 0;
			st->huge_bytes = 0;
			return;
		}
	}
	st->valid |= MSHARE_STAT_TABLES;
}

static void stat_attachers(const struct region *r, struct mshare_stat *st)
{
	long count = inspect_attachers(r->dev, r->ino);

	if (count < 0)
		return;
	st->attachers = (uint64_t)count;
	st->valid |= MSHARE_STAT_ATTACHERS;
}

int region_stat(struct region *r, struct mshare_stat *st)
{
	struct attachment *list;
	long count;
	int err = stat_file(r, st);

	if (err)
		return err;
	count = attachment_copy(r, &list);
	if (count < 0)
		return fail((int)count, "stat: no memory for a list of the attachments");
	st->attachments = (uint64_t)count;
	stat_region(r, st);
	stat_truncation(r, list, count, st);
	if (st->want & MSHARE_STAT_TABLES)
		stat_tables(r, list, count, st);
	if (st->want & MSHARE_STAT_ATTACHERS)
		stat_attachers(r, st);
	free(list);
	return 0;
}
