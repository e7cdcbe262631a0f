/* SPDX-License-Identifier: MIT */
/* The public entry points: check what came in, find the region, translate the result. Nothing else
 * lives here. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "align.h"
#include "backing.h"
#include "entry.h"
#include "handle.h"
#include "log.h"
#include "options.h"
#include "probe.h"
#include "region.h"
#include "save.h"

static int forced_backend(struct region_request *req)
{
	const char *name = sys_getenv("MSHARE_BACKEND");

	if (!name || !*name)
		return 0;
	req->forced = backend_by_name(name);
	return req->forced
		       ? 0
		       : fail(-EINVAL,
			      "MSHARE_BACKEND=%.32s is not one of shim, hugetlb, thp, plain", name);
}

static int make_request(struct region_request *req, const char *name,
			const struct mshare_attr *attr)
{
	int err = options_attr(attr, &req->attr);

	req->name = name;
	if (!err && name)
		err = backing_check_name(name);
	return err ? err : forced_backend(req);
}

static int publish(struct region *r, mshare_t *out)
{
	int err = handle_new(r, out);

	if (!err)
		return 0;
	region_put(r);
	return fail(err, "no room for another region handle");
}

static int create(struct region_request *req, const char *name, const struct mshare_attr *attr,
		  mshare_t *out)
{
	struct region *r;
	int err = make_request(req, name, attr);

	if (!err && req->size == 0)
		err = fail(-EINVAL, "create: size is 0");
	if (!err)
		err = region_create(req, &r);
	if (err)
		return err;
	err = publish(r, out);
	if (err && name && !req->unlinked && backing_unlink(name))
		debug("region \"%s\" could not be removed again", name);
	return err;
}

/* Takes fd over, also on failure. */
static int adopt(int fd, const struct region_request *req, mshare_t *out)
{
	struct region *r;
	int err = region_adopt(fd, req, &r);

	if (err) {
		sys_close(fd);
		return err;
	}
	return publish(r, out);
}

static int open_by_name(const char *name, int oflag, const struct mshare_attr *attr, mshare_t *out)
{
	struct region_request req = { 0 };
	int err = name ? make_request(&req, name, attr) : fail(-EINVAL, "open: name is NULL");
	int fd;

	if (err)
		return err;
	if (oflag != O_RDONLY && oflag != O_RDWR)
		return fail(-EINVAL, "open: flags 0x%x are not O_RDONLY or O_RDWR",
			    (unsigned int)oflag);
	fd = backing_open(name, oflag);
	return fd < 0 ? fd : adopt(fd, &req, out);
}

static int open_by_fd(int fd, const struct mshare_attr *attr, mshare_t *out)
{
	struct region_request req = { 0 };
	int err = make_request(&req, NULL, attr);
	int own;

	if (err)
		return err;
	own = sys_dup(fd);
	if (own == -EBADF)
		return fail(own, "descriptor %d is not open", fd);
	if (own < 0)
		return fail(own, "descriptor %d cannot be duplicated: no descriptor is left", fd);
	return adopt(own, &req, out);
}

mshare_t mshare_create(const char *name, size_t size, const struct mshare_attr *attr)
{
	struct region_request req = { .size = size };
	const struct entry entered = entry_begin();
	mshare_t h = NULL;

	return entry_leave(entered, create(&req, name, attr, &h)) ? NULL : h;
}

mshare_t region_create_unlinked(const char *name, size_t size, const struct mshare_attr *attr)
{
	struct region_request req = { .size = size, .unlinked = true };
	const struct entry entered = entry_begin();
	mshare_t h = NULL;

	return entry_leave(entered, create(&req, name, attr, &h)) ? NULL : h;
}

mshare_t mshare_open(const char *name, int oflag, const struct mshare_attr *attr)
{
	const struct entry entered = entry_begin();
	mshare_t h = NULL;

	return entry_leave(entered, open_by_name(name, oflag, attr, &h)) ? NULL : h;
}

mshare_t mshare_from_fd(int fd, const struct mshare_attr *attr)
{
	const struct entry entered = entry_begin();
	mshare_t h = NULL;

	return entry_leave(entered, open_by_fd(fd, attr, &h)) ? NULL : h;
}

int mshare_fd(mshare_t h)
{
	return CALL(h, r->fd);
}

void *mshare_attach(mshare_t h, void *addr, off_t off, size_t len, int prot, unsigned int flags)
{
	const struct attach_request req = { addr, off, len, prot, flags };
	void *at = MAP_FAILED;

	return CALL(h, region_attach(r, &req, &at)) ? MAP_FAILED : at;
}

int mshare_detach(mshare_t h, void *addr, size_t len)
{
	return CALL(h, region_detach(r, addr, len));
}

int mshare_flush(mshare_t h, off_t off, size_t len, unsigned int flags)
{
	return CALL(h, region_flush(r, off, len, flags));
}

static int save(struct region *r, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	struct mshare_image_attr ours;
	int err = options_image_attr(attr, MSHARE_IMAGE_CACHED, &ours);

	return err ? err : region_save(r, dirfd, path, &ours);
}

int mshare_save(mshare_t h, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	return CALL(h, save(r, dirfd, path, attr));
}

static int load(struct region *r, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	struct mshare_image_attr ours;
	int err = options_image_attr(attr, MSHARE_IMAGE_CACHED | MSHARE_IMAGE_CHECK, &ours);

	return err ? err : region_load(r, dirfd, path, &ours);
}

int mshare_load(mshare_t h, int dirfd, const char *path, const struct mshare_image_attr *attr)
{
	return CALL(h, load(r, dirfd, path, attr));
}

static int check_stat(const struct mshare_stat *st)
{
	uint64_t unknown;
	int err;

	if (!st)
		return fail(-EINVAL, "stat: the struct pointer is NULL");
	err = options_out_size(st->size, STAT_SIZE_V0, "mshare_stat");
	if (err)
		return err;
	unknown = st->want & ~(MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	return unknown ? fail(-EINVAL, "stat: unknown bits 0x%llx in want",
			      (unsigned long long)unknown)
		       : 0;
}

static int report(struct region *r, struct mshare_stat *st)
{
	struct mshare_stat ours = { 0 };
	int err = check_stat(st);

	if (!err) {
		ours.want = st->want;
		err = region_stat(r, &ours);
	}
	if (!err)
		options_out(st, &ours, sizeof(ours));
	return err;
}

int mshare_stat(mshare_t h, struct mshare_stat *st)
{
	return CALL(h, report(r, st));
}

int mshare_close(mshare_t h)
{
	const struct entry entered = entry_begin();
	struct region *r = handle_take(h);

	if (!r)
		return entry_leave(entered, entry_unknown(h));
	region_put(r);
	return entry_leave(entered, 0);
}

int mshare_unlink(const char *name)
{
	const struct entry entered = entry_begin();
	int err = name ? backing_check_name(name) : fail(-EINVAL, "unlink: name is NULL");

	return entry_leave(entered, err ? err : backing_unlink(name));
}

size_t mshare_align(size_t size, int level)
{
	const struct entry entered = entry_begin();
	uint64_t out = 0;
	int err = align_size(page_sizes(), size, level, &out);

	if (size == 0)
		err = fail(err, "align: size is 0");
	else if (err == -EINVAL)
		err = fail(err, "align: level %d is not an mshare_level value", level);
	else if (err)
		err = fail(err, "align: size %zu does not fit a file offset once aligned", size);
	return entry_leave(entered, err) ? 0 : (size_t)out;
}

static int check_caps(const struct mshare_caps *caps)
{
	return caps ? options_out_size(caps->size, CAPS_SIZE_V0, "mshare_caps")
		    : fail(-EINVAL, "probe: the struct pointer is NULL");
}

int mshare_probe(struct mshare_caps *caps)
{
	const struct entry entered = entry_begin();
	struct mshare_caps ours = { 0 };
	int err = check_caps(caps);

	if (!err)
		err = probe_caps(&ours);
	if (!err)
		options_out(caps, &ours, sizeof(ours));
	return entry_leave(entered, err);
}

const char *mshare_errmsg(void)
{
	return fail_message();
}
