/* SPDX-License-Identifier: MIT */
/* mshare_map(): another object for a part of a region, which all see or none. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "align.h"
#include "backing.h"
#include "control.h"
#include "log.h"
#include "mshare/abi.h"
#include "range.h"
#include "shim-ask.h"
#include "shim-parts.h"

static int check_words(const struct region *r, const struct map_request *req)
{
	if (req->prot != PROT_READ && req->prot != (PROT_READ | PROT_WRITE))
		return fail(-EINVAL, "map: prot 0x%x is neither PROT_READ nor PROT_READ|PROT_WRITE",
			    (unsigned int)req->prot);
	if (req->fd_off < 0 || !is_multiple((uint64_t)req->fd_off, page_sizes()->base) ||
	    (req->fd == -1 && req->fd_off))
		return fail(-EINVAL,
			    "map: offset %lld in the object is not a multiple of the page size, or "
			    "not 0 of anonymous memory",
			    (long long)req->fd_off);
	if (!r->writable)
		return fail(-EACCES, "map: the region is opened for reading only");
	if (!r->ops->hosts_tables)
		return fail(-EOPNOTSUPP,
			    "map: with the %s backend each process has mappings of its own, which "
			    "nobody else can change",
			    r->ops->name);
	return 0;
}

/* Memory for a part: its size is that of the part for ever, so nobody gets a SIGBUS in it. */
static int anonymous(uint64_t len)
{
	cleanup_fd int fd = backing_memfd(len);
	int err = fd < 0 ? fd : sys_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

	if (err)
		return fail(err, "map: no descriptor or memory for %llu bytes (error %d)",
			    (unsigned long long)len, -err);
	return keep_fd(&fd);
}

static int check_seals(int fd)
{
	int seals = sys_seals(fd);

	if (seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return fail(-EPERM, "map: the memfd is sealed against writing (seals 0x%x)",
			    (unsigned int)seals);
	return 0;
}

/* The last page of a file may be one that it fills in part. */
static int check_end(const struct region *object, const struct map_request *req, uint64_t len)
{
	uint64_t end;

	if (len > (uint64_t)INT64_MAX - (uint64_t)req->fd_off)
		return fail(-EOVERFLOW, "map: offset %lld and length %llu do not fit a file offset",
			    (long long)req->fd_off, (unsigned long long)len);
	if (align_up(object->size, page_sizes()->base, &end) == 0 &&
	    (uint64_t)req->fd_off + len <= end)
		return 0;
	return fail(-ENXIO, "map: offset %lld and length %llu pass the end of the object at %llu",
		    (long long)req->fd_off, (unsigned long long)len,
		    (unsigned long long)object->size);
}

static int check_object(const struct map_request *req, uint64_t len)
{
	struct region object = { .fd = -1 };
	int err = backing_inspect(req->fd, &object);

	if (err)
		return err;
	if (object.kind == REGION_HUGETLB)
		return fail(-EOPNOTSUPP, "map: the object consists of hugetlb pages");
	if (!object.writable)
		return fail(-EACCES, "map: descriptor %d is not open for reading and writing",
			    req->fd);
	err = check_seals(req->fd);
	return err ? err : check_end(&object, req, len);
}

static int map_error(const struct range *range, int err)
{
	if (err == -EUSERS)
		return fail(-ENOMEM, "map: the region has as many parts as the module allows "
				     "(parts_per_region)");
	if (err == -ETXTBSY || err == -EACCES)
		return fail(-EACCES, "map: the object cannot be written (%s)",
			    err == -EACCES ? "append-only" : "in use as swap space");
	return shim_ask_failed("map", range, err);
}

static int map_fd(struct region *r, const struct map_request *req, const struct range *range,
		  uint64_t len)
{
	struct shim_request request = {
		.operation = MSHARE_ASK_MAP,
		.argument = shim_rights(req->prot),
		.off = (uint64_t)range->off,
		.len = len,
		.map_fd = req->fd,
		.map_off = (uint64_t)req->fd_off,
	};
	int err = shim_ask_host(r, &request);

	return err ? map_error(range, err) : 0;
}

static int map_anonymous(struct region *r, const struct map_request *req, const struct range *range,
			 uint64_t len)
{
	struct map_request with_fd = *req;
	cleanup_fd int fd = anonymous(len);

	if (fd < 0)
		return fd;
	with_fd.fd = fd;
	return map_fd(r, &with_fd, range, len);
}

static int map_range(struct region *r, const struct map_request *req)
{
	struct range range;
	uint64_t len;
	int err = range_find(r, "map", req->off, req->len, &range);

	if (!err)
		err = range_check(&range, "map", r->grid);
	if (!err)
		err = align_up(range.len, page_sizes()->base, &len);
	if (err || !range.len)
		return err;
	if (req->fd == -1)
		return map_anonymous(r, req, &range, len);
	err = check_object(req, len);
	return err ? err : map_fd(r, req, &range, len);
}

int region_map(struct region *r, const struct map_request *req)
{
	int err = check_words(r, req);

	return err ? err : map_range(r, req);
}

/* For mshare_revoke(), after which nothing is to be left: by whatever backend the caller has. */
int region_unmap_parts(struct region *r)
{
	struct map_request original = { .fd = r->fd, .prot = PROT_READ | PROT_WRITE };
	int parts = shim_parts(r);

	if (parts == -EOWNERDEAD)
		return fail(-EBUSY, "revoke: %s", SHIM_ORPHANED);
	if (parts < 0)
		return shim_parts_error(parts, "revoke");
	return parts ? map_range(r, &original) : 0;
}
