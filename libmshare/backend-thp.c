/* SPDX-License-Identifier: MIT */
/*
 * Transparent huge pages for shared memory, without root. Where the administrator has allowed them
 * for shmem, advice is enough and the first touch gives a huge page. Elsewhere MADV_COLLAPSE makes
 * huge pages of what is filled already, which mshare-host does while the program runs, and
 * MSHARE_POPULATE at once. /dev/shm is a mount with a setting of its own: each object is treated as
 * its mount is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"
#include "backing.h"
#include "collapse.h"
#include "host.h"
#include "log.h"
#include "probe.h"

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static const char *const how_to_allow[SHMEM_MOUNTS] = {
	[SHMEM_MEMFD] = "echo advise > " SHMEM_ENABLED,
	[SHMEM_NAMED] = "mount -o remount,huge=advise " BACKING_SHM_DIR,
};

/* What becomes of memory that gets base pages when it is touched. */
static void describe_collapse(enum shmem_mount where, char *out, size_t size)
{
	if (!probe_thp_collapse())
		snprintf(out, size, "the kernel makes no huge pages for shared memory: %s",
			 how_to_allow[where]);
	else if (sys_access_exec(host_path()))
		snprintf(out, size,
			 "huge pages with MSHARE_POPULATE only: the helper %s is missing",
			 host_path());
	else
		snprintf(out, size,
			 "filled ranges become huge pages while the program runs (mshare-host), "
			 "all with MSHARE_POPULATE");
}

/* Why they cannot be tried. */
static const char *hindrance(int err)
{
	return err == -EFBIG ? "RLIMIT_FSIZE is below their size" : strerrordesc_np(-err);
}

static void thp_probe(struct mshare_backend_caps *caps)
{
	bool memfd = probe_thp_fault(SHMEM_MEMFD);
	bool named = probe_thp_fault(SHMEM_NAMED);
	char other[sizeof(caps->reason) - 64];

	caps->error = memfd || named || probe_thp_collapse() ? 0 : EOPNOTSUPP;
	caps->page_size = caps->error ? 0 : page_sizes()->pmd;
	describe_collapse(memfd ? SHMEM_NAMED : SHMEM_MEMFD, other, sizeof(other));
	if (caps->error && probe_thp_error())
		snprintf(caps->reason, sizeof(caps->reason), "huge pages cannot be tried: %s",
			 hindrance(probe_thp_error()));
	else if (memfd && named)
		snprintf(caps->reason, sizeof(caps->reason), "huge pages when first touched");
	else if (memfd || named)
		snprintf(caps->reason, sizeof(caps->reason),
			 "%s: huge pages when first touched; %s: %s",
			 memfd ? "without a name" : "named", memfd ? "named" : "without a name",
			 other);
	else
		snprintf(caps->reason, sizeof(caps->reason), "%s", other);
}

static enum shmem_mount mount_of_new(const struct region_request *req)
{
	return req->name ? SHMEM_NAMED : SHMEM_MEMFD;
}

static int no_huge_pages(const char *advice)
{
	int err = probe_thp_error();

	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return fail(err, "thp: no descriptor or memory is left to try huge pages with");
	if (err)
		return fail(-EOPNOTSUPP, "thp: huge pages cannot be tried: %s", hindrance(err));
	return fail(-EOPNOTSUPP, "thp: the kernel makes no huge pages for shared memory: %s",
		    advice);
}

/* An existing object is judged by thp_adopt(). */
static int thp_accepts(const struct region_request *req)
{
	enum shmem_mount where = mount_of_new(req);
	int err = backend_check(&backend_thp, MSHARE_PAGES_THP, req);

	if (err || req->size == 0 || probe_thp_fault(where) || probe_thp_collapse())
		return err;
	return no_huge_pages(how_to_allow[where]);
}

static void describe(struct region *r, const struct region_request *req)
{
	const struct page_sizes *sizes = page_sizes();
	uint64_t alignment = align_for(sizes, r->size, (int)req->attr.align);

	r->page_size = sizes->pmd;
	r->pages = MSHARE_PAGES_THP;
	r->alignment = alignment > sizes->pmd ? alignment : sizes->pmd;
}

static int thp_create(struct region *r, const struct region_request *req)
{
	int err = backing_create_shmem(r, req);

	if (err)
		return err;
	describe(r, req);
	r->huge_on_touch = probe_thp_fault(mount_of_new(req));
	return 0;
}

static int thp_adopt(struct region *r, const struct region_request *req)
{
	if (r->kind != REGION_SHMEM)
		return fail(-EOPNOTSUPP, "thp: works on memfd and POSIX shared memory only");
	r->huge_on_touch = probe_thp_fault_on(r->dev);
	if (!r->huge_on_touch && !probe_thp_collapse())
		return no_huge_pages("a memfd needs echo advise > " SHMEM_ENABLED
				     ", a file the mount option huge=advise");
	describe(r, req);
	return 0;
}

/* How long a helper gets to appear before it is looked for again, seconds. */
#define HOST_CHECK_INTERVAL 1

/*
 * Whether it is time to look for the helper: at the first attachment, and later, not more often
 * than the interval, so that one that was killed is replaced. A helper that cannot be started is
 * not tried again through this handle.
 */
static bool host_is_due(struct region *r)
{
	long long now = sys_seconds();
	long long last = atomic_load(&r->host_asked_at);

	if (last && (now - last < HOST_CHECK_INTERVAL || atomic_load(&r->host_error)))
		return false;
	return atomic_compare_exchange_strong(&r->host_asked_at, &last, now);
}

/*
 * Tells the helper that we are here, and starts it where nobody else makes huge pages. A process
 * that cannot write fills nothing and only announces itself. No helper is no error: mshare_stat()
 * tells.
 */
static void ask_host(struct region *r)
{
	int err;

	if (r->huge_on_touch || !host_is_due(r))
		return;
	err = r->writable ? host_ensure(r->fd, r->name[0] ? r->name : "(memfd)")
			  : host_announce(r->fd);
	atomic_store(&r->host_error, err);
	if (err)
		debug("no mshare-host for this region: error %d", -err);
}

static int populate_huge(const struct attachment *a)
{
	int err = collapse_populate(a->addr, a->len, page_sizes()->pmd, a->prot & PROT_WRITE);

	/* What cannot become huge is populated with base pages, which also finds the sentence for a
	 * real failure. */
	return err ? backend_populate(a) : 0;
}

static int thp_attached(struct region *r, const struct attachment *a, bool populate)
{
	if (r->huge_on_touch && sys_madvise(a->addr, a->len, MADV_HUGEPAGE))
		debug("MADV_HUGEPAGE refused at %p", a->addr);
	ask_host(r);
	return populate ? populate_huge(a) : 0;
}

const struct backend_ops backend_thp = {
	.name = "thp",
	.id = MSHARE_BACKEND_THP,
	.probe = thp_probe,
	.accepts = thp_accepts,
	.create = thp_create,
	.adopt = thp_adopt,
	.attached = thp_attached,
};
