/* SPDX-License-Identifier: MIT */
/*
 * Page tables shared by the kernel module: processes map a *view* of the file, whose tables are
 * those of a host process. The first attachment starts the host. Where none can be had, an
 * attachment is an ordinary mapping of the same file, and mshare_stat() tells.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "backing.h"
#include "ctl.h"
#include "log.h"
#include "mshare/abi.h"
#include "shim-ask.h"

/* What keeps this kernel from sharing tables: 0 or -errno. */
static int why_not(void)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = -1 };
	cleanup_fd int device = ctl_open();

	if (device < 0)
		return device;
	return mshare_ctl(device, MSHARE_CTL_QUERY, &query);
}

static const char *sentence(int err)
{
	if (err == -ENOSYS)
		return "not on this kernel: the mshare module is not loaded: modprobe mshare";
	if (err == -EACCES || err == -EPERM)
		return "no right to open /dev/mshare";
	return "the mshare module does not answer";
}

static void shim_probe(struct mshare_backend_caps *caps)
{
	int err = why_not();

	caps->error = -err;
	caps->page_size = err ? 0 : page_sizes()->base;
	snprintf(caps->reason, sizeof(caps->reason), "%s",
		 err ? sentence(err) : "one set of page tables for all processes");
}

static int shim_accepts(const struct region_request *req)
{
	int err = backend_check(&backend_shim, MSHARE_PAGES_BASE, req);

	if (err)
		return err;
	err = why_not();
	/* Nothing is known about the kernel then; another backend may do with less. */
	if (req->forced && (err == -EMFILE || err == -ENFILE || err == -ENOMEM))
		return fail(err, "shim: no descriptor or memory is left to try it with");
	return err ? fail(-EOPNOTSUPP, "shim: %s", sentence(err)) : 0;
}

static void describe(struct region *r, const struct region_request *req)
{
	const struct page_sizes *sizes = page_sizes();
	uint64_t alignment = align_for(sizes, r->size, (int)req->attr.align);

	r->page_size = sizes->base;
	r->pages = MSHARE_PAGES_BASE;
	r->alignment = alignment > sizes->pmd ? alignment : sizes->pmd;
	r->map_unit = sizes->pmd;
	r->share_unit = sizes->pmd;
}

static int shim_create(struct region *r, const struct region_request *req)
{
	int err = backing_create_shmem(r, req);

	if (!err)
		describe(r, req);
	return err;
}

static int shim_adopt(struct region *r, const struct region_request *req)
{
	if (r->kind == REGION_HUGETLB)
		return fail(-EOPNOTSUPP, "shim: the object consists of hugetlb pages");
	describe(r, req);
	return 0;
}

static uint32_t view_prot(int prot)
{
	return prot & PROT_WRITE ? MSHARE_VIEW_READ | MSHARE_VIEW_WRITE : MSHARE_VIEW_READ;
}

/* Why there is only an ordinary mapping. */
static const char *degraded_text(int err)
{
	switch (err) {
	case -ENXIO:
		return "the file has grown beyond what its host process maps";
	case -EUSERS:
		return "as many processes are attached as the module allows (links_per_view)";
	case -EBUSY:
		return "a process that hosts page tables cannot attach";
	case -EACCES:
		return "no host process, which only who may write the file can start";
	case -ENOSYS:
		return "the mshare module is not loaded any more";
	default:
		return "no host process for the region";
	}
}

static int attach_view(const struct region *r, int prot)
{
	struct mshare_ctl_attach attach = {
		.size = sizeof(attach),
		.fd = r->fd,
		.prot = view_prot(prot),
	};
	cleanup_fd int device = ctl_open();

	return device < 0 ? device : mshare_ctl(device, MSHARE_CTL_ATTACH, &attach);
}

/*
 * How often a host may be gone again before we have attached: on a machine that is very busy it
 * waits in vain.
 */
#define HOST_TRIES 3

/* The view, and a host for it if there is none. */
static int view_of(const struct region *r, int prot)
{
	int fd = attach_view(r, prot);

	for (int i = 0; i < HOST_TRIES && fd == -ENOENT; i++) {
		fd = shim_start_host(r);
		if (fd == 0)
			fd = attach_view(r, prot);
	}
	return fd;
}

/*
 * The view of a file that has grown beyond what its host maps: the host makes a larger one. Who is
 * attached keeps what he has.
 */
static int larger_view_of(const struct region *r, int prot)
{
	struct shim_request request = { .operation = MSHARE_ASK_GROW };
	int err = region_size_now(r, &request.len);

	if (!err)
		err = shim_ask(r, prot, &request);
	if (err)
		debug("the host maps no more of the file: error %d", -err);
	return err ? -ENXIO : attach_view(r, prot);
}

/* Not what mmap(2) says of any file: of this view, or of this process, only the module says so. */
static bool is_of_the_view(int err)
{
	return err == -ENOENT || err == -ESTALE || err == -ENXIO || err == -EUSERS || err == -EBUSY;
}

/*
 * Nobody touches what is mapped without any right, so there is nothing to share. A host that left
 * between our two steps is replaced by another, and one that maps less than the file has become is
 * asked for more. That as many processes are attached as may be is not asked twice.
 */
static int shim_mapping_fd(struct region *r, int prot, int refused)
{
	int fd = refused;

	if (refused && !is_of_the_view(refused))
		return refused;
	if (prot == PROT_NONE)
		return r->fd;
	if (!refused || refused == -ENOENT)
		fd = view_of(r, prot);
	else if (refused == -ENXIO)
		fd = larger_view_of(r, prot);
	if (fd >= 0) {
		atomic_store(&r->degraded, 0);
		return fd;
	}
	if (fd == -EOWNERDEAD)
		return fail(fd, "attach: %s", SHIM_ORPHANED);
	if (r->require_shared)
		return fail(-EOPNOTSUPP, "shim: %s", degraded_text(fd));
	debug("no shared tables for this attachment: error %d", -fd);
	atomic_store(&r->degraded, fd);
	return r->fd;
}

/* The mapping consists of whole slots; the file may end in the last one. */
static int populate_to_end(const struct region *r, const struct attachment *a)
{
	struct attachment part = *a;
	uint64_t end;
	int err = region_size_now(r, &end);

	if (!err)
		err = align_up(end, page_sizes()->base, &end);
	if (err)
		return err;
	if (end > (uint64_t)a->off && end - (uint64_t)a->off < a->len)
		part.len = end - (uint64_t)a->off;
	return backend_populate(&part);
}

static int shim_attached(struct region *r, const struct attachment *a, bool populate)
{
	return populate ? populate_to_end(r, a) : 0;
}

static int drop_range(const struct region *r, int device, uint32_t prot, uint64_t off, uint64_t len)
{
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = r->fd,
		.prot = prot,
		.off = off,
		.len = len,
	};

	return mshare_ctl(device, MSHARE_CTL_FLUSH, &flush);
}

/*
 * No view, no links. A file that has grown may be larger than its views, which begin where it does:
 * then slot by slot, up to their end.
 */
static int drop_view(const struct region *r, int device, uint32_t prot, uint64_t off, uint64_t len)
{
	uint64_t slot = page_sizes()->pmd;
	int err = drop_range(r, device, prot, off, len);

	if (err == -EINVAL && len > slot) {
		uint64_t end = off + len;

		for (err = 0; !err && off < end; off += slot)
			err = drop_range(r, device, prot, off, slot);
	}
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

/*
 * Widened to whole slots: dropping more than asked for costs a fault, dropping less would be wrong.
 */
static int shim_drop_links(struct region *r, off_t off, uint64_t len)
{
	uint64_t start = align_down((uint64_t)off, page_sizes()->pmd);
	cleanup_fd int device = ctl_open();
	uint64_t end;
	int err = align_up((uint64_t)off + len, page_sizes()->pmd, &end);

	if (!err && device < 0)
		err = device;
	if (!err)
		err = drop_view(r, device, view_prot(PROT_READ), start, end - start);
	if (!err && r->writable)
		err = drop_view(r, device, view_prot(PROT_WRITE), start, end - start);
	return err ? fail(err, "flush: dropping shared translations failed (error %d)", -err) : 0;
}

static void add_view(const struct region *r, int device, uint32_t prot, struct mshare_stat *st)
{
	struct mshare_ctl_query query = { .size = sizeof(query), .fd = r->fd, .prot = prot };

	if (mshare_ctl(device, MSHARE_CTL_QUERY, &query) < 0)
		return;
	st->faults += query.faults;
	st->links += query.entries;
	if (query.host)
		st->host_pid = query.host;
	st->flags |= MSHARE_STAT_F_HOST;
	if (query.parts)
		st->flags |= MSHARE_STAT_F_PARTS;
}

static void shim_stat(struct region *r, struct mshare_stat *st)
{
	cleanup_fd int device = ctl_open();
	int degraded = atomic_load(&r->degraded);

	if (degraded) {
		st->backend = MSHARE_BACKEND_PLAIN;
		snprintf(st->reason, sizeof(st->reason), "shim: %s (%s)", degraded_text(degraded),
			 strerrordesc_np(-degraded));
	}
	if (device < 0)
		return;
	add_view(r, device, view_prot(PROT_READ), st);
	if (r->writable)
		add_view(r, device, view_prot(PROT_WRITE), st);
}

const struct backend_ops backend_shim = {
	.name = "shim",
	.id = MSHARE_BACKEND_SHIM,
	.probe = shim_probe,
	.accepts = shim_accepts,
	.create = shim_create,
	.adopt = shim_adopt,
	.mapping_fd = shim_mapping_fd,
	.attached = shim_attached,
	.drop_links = shim_drop_links,
	.stat = shim_stat,
	.hosts_tables = true,
	.shares_tables = true,
};
