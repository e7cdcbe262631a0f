/* SPDX-License-Identifier: MIT */
/* mshare_resize() and mshare_revoke(): the size is the object's, and so is known to everybody. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "control.h"
#include "hugelimit.h"
#include "log.h"
#include "region.h"
#include "shim-parts.h"

static int resize_error(const struct region *r, uint64_t size, int err)
{
	char text[SIZE_TEXT];

	size_text(size, text);
	switch (err) {
	case -EPERM:
		return fail(err, "resize to %s: the memfd is sealed (seals 0x%x)", text,
			    (unsigned int)sys_seals(r->fd));
	case -EFBIG:
		return fail(-EOVERFLOW,
			    "resize to %s: more than the file system or RLIMIT_FSIZE allows", text);
	case -ENOSPC:
	case -EDQUOT:
		return fail(-ENOSPC, "resize to %s: the file system has no room for it", text);
	case -ENOMEM:
		return fail(err,
			    "resize to %s: there are not so many free huge pages, or no memory",
			    text);
	default:
		return fail(err, "resize to %s failed (%s)", text, strerrordesc_np(-err));
	}
}

/* Refuses now what would be a SIGBUS later. */
static int check_space(const struct region *r, uint64_t more)
{
	char path[sizeof("/proc/self/fd/") + 11];
	uint64_t total, free_bytes;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	if (r->noreserve || sys_fs_space(path, &total, &free_bytes) || more <= free_bytes)
		return 0;
	return -ENOSPC;
}

/*
 * mmap(2) reserves the pages for the object, which keeps them when the mapping goes, and does not
 * ask whether they are past its end: so they are there before anybody can touch them.
 */
static int reserve_huge(const struct region *r, uint64_t old, uint64_t more)
{
	void *addr;
	int seals = sys_seals(r->fd);
	int err;

	if (seals > 0 && (seals & F_SEAL_GROW))
		return -EPERM;
	if (more > hugelimit_left(r->page_size, NULL, 0))
		return -ENOMEM;
	err = sys_mmap(NULL, more, PROT_READ, MAP_SHARED, r->fd, (off_t)old, &addr);
	return err ? err : sys_munmap(addr, more);
}

/* What is past the end now: another process may have moved that meanwhile. */
static void give_back_huge(const struct region *r, uint64_t size)
{
	uint64_t end;

	if (region_size_now(r, &end) ||
	    (end < size && sys_punch_hole(r->fd, (off_t)end, (off_t)(size - end))))
		debug("huge pages past the end stay reserved");
}

static int grow(const struct region *r, uint64_t old, uint64_t size)
{
	int err = 0;

	if (r->kind == REGION_SHMEM)
		err = check_space(r, size - old);
	if (r->kind == REGION_HUGETLB)
		err = reserve_huge(r, old, size - old);
	if (err)
		return err;
	err = sys_ftruncate(r->fd, (off_t)size);
	if (err && r->kind == REGION_HUGETLB)
		give_back_huge(r, size);
	return err;
}

static uint64_t unit_of(const struct region *r)
{
	if (r->kind == REGION_FILE)
		return 1;
	return r->kind == REGION_HUGETLB ? r->page_size : r->grid;
}

int region_resize(struct region *r, uint64_t size)
{
	uint64_t old, rounded;
	int err;

	if (!size)
		return fail(-EINVAL, "resize: size is 0; mshare_revoke() ends a region");
	if (align_up(size, unit_of(r), &rounded))
		return fail(-EOVERFLOW, "resize: size %llu does not fit a file offset",
			    (unsigned long long)size);
	if (!r->writable)
		return fail(-EACCES, "resize: the region is opened for reading only");
	err = region_size_now(r, &old);
	if (!err && rounded < old)
		err = shim_refuse_parts(r, "resize");
	if (err)
		return err;
	if (rounded > old)
		err = grow(r, old, rounded);
	else if (rounded < old)
		err = sys_shrink(r->fd, (off_t)rounded);
	return err ? resize_error(r, rounded, err) : 0;
}

static int sealed_error(int seals)
{
	return fail(-EPERM, "revoke: the memfd is sealed against shrinking (seals 0x%x)",
		    (unsigned int)seals);
}

int region_revoke(struct region *r)
{
	int seals = sys_seals(r->fd);
	int err;

	if (r->kind == REGION_FILE)
		return fail(-EOPNOTSUPP, "revoke: it would destroy what is in a regular file");
	if (!r->writable)
		return fail(-EACCES, "revoke: the region is opened for reading only");
	/* Before parts are taken away, which nobody could put back. */
	if (seals > 0 && (seals & F_SEAL_SHRINK))
		return sealed_error(seals);
	err = region_unmap_parts(r);
	if (err)
		return err;
	err = sys_shrink(r->fd, 0);
	if (err == -EPERM) /* sealed meanwhile */
		return sealed_error(sys_seals(r->fd));
	return err ? fail(err, "revoke: truncation failed (%s)", strerrordesc_np(-err)) : 0;
}
