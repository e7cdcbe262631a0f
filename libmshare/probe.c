/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "align.h"
#include "backend.h"
#include "backing.h"
#include "caps.h"
#include "flush.h"
#include "host.h"
#include "hugelimit.h"
#include "log.h"
#include "place.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* One PMD-sized piece of fresh shared memory, mapped where a huge page could be. */
struct piece {
	void *addr;
	size_t size;
	dev_t dev;
};

static int shmem_make(enum shmem_mount where)
{
	return where == SHMEM_NAMED ? sys_open(BACKING_SHM_DIR, O_TMPFILE | O_RDWR, 0600)
				    : sys_memfd_create("mshare-probe", 0);
}

static int piece_make(struct piece *p, enum shmem_mount where)
{
	cleanup_fd int fd = shmem_make(where);
	struct place_request place = { .prot = PROT_READ | PROT_WRITE };
	struct stat st;
	int err;

	if (fd < 0)
		return fd;
	p->size = page_sizes()->pmd;
	err = sys_ftruncate(fd, (off_t)p->size);
	if (!err)
		err = sys_fstat(fd, &st);
	if (err)
		return err;
	p->dev = st.st_dev;
	place.len = p->size;
	place.align = p->size;
	place.fd = fd;
	return place_anywhere(&place, &p->addr);
}

static void piece_end(const struct piece *p)
{
	sys_munmap(p->addr, p->size);
	place_freed(p->addr, p->size);
}

/* Allocates the first base page, with an error instead of a signal where there is no memory. */
static int piece_touch(const struct piece *p)
{
	return sys_madvise(p->addr, page_sizes()->base, MADV_POPULATE_WRITE);
}

/* 1: one touch gave all base pages, so it was a huge page. 0: it did not. */
static int piece_is_full(const struct piece *p)
{
	size_t pages = p->size / page_sizes()->base;
	unsigned char *present = calloc(pages, 1);
	int full = present ? sys_mincore(p->addr, p->size, present) : -ENOMEM;

	full = full ? full : 1;
	for (size_t i = 0; full == 1 && i < pages; i++)
		full = present[i] & 1;
	free(present);
	return full;
}

/* Fragmentation, limits and pages that are busy pass; a kernel that cannot says something else. */
static bool is_shortage(int err)
{
	return err == -ENOMEM || err == -EAGAIN || err == -EBUSY;
}

/* Each answers 1 yes, 0 no, -errno: it could not be tried. */
static int try_thp_fault(const struct piece *p)
{
	int err = sys_madvise(p->addr, p->size, MADV_HUGEPAGE);

	if (err)
		return is_shortage(err) ? err : 0;
	err = piece_touch(p);
	return err ? err : piece_is_full(p);
}

static int try_thp_collapse(const struct piece *p)
{
	int err = piece_touch(p);

	if (err)
		return err;
	/* The kernel looks whether it may before it looks for memory: it would, were there any. */
	err = sys_madvise(p->addr, p->size, MADV_COLLAPSE);
	return !err || is_shortage(err);
}

/* What was found out, or UNKNOWN. Two threads that find out at once store the same. */
struct answer {
	int (*try)(const struct piece *p);
	enum shmem_mount where;
	atomic_int cached;
	_Atomic dev_t dev; /* of the mount; set before `cached` */
};
#define UNKNOWN (-1)

static struct answer thp_fault[SHMEM_MOUNTS] = {
	[SHMEM_MEMFD] = { try_thp_fault, SHMEM_MEMFD, UNKNOWN, 0 },
	[SHMEM_NAMED] = { try_thp_fault, SHMEM_NAMED, UNKNOWN, 0 },
};
static struct answer thp_collapse = { try_thp_collapse, SHMEM_MEMFD, UNKNOWN, 0 };

/* Only answers are remembered: a full descriptor table says nothing about huge pages. */
static int ask(struct answer *question)
{
	int answer = atomic_load(&question->cached);
	struct piece p;

	if (answer != UNKNOWN)
		return answer;
	answer = piece_make(&p, question->where);
	if (answer)
		return answer;
	answer = question->try(&p);
	piece_end(&p);
	if (answer < 0)
		return answer;
	atomic_store(&question->dev, p.dev);
	atomic_store(&question->cached, answer);
	return answer;
}

bool probe_thp_fault(enum shmem_mount where)
{
	return ask(&thp_fault[where]) == 1;
}

bool probe_thp_fault_on(dev_t dev)
{
	for (int where = 0; where < SHMEM_MOUNTS; where++) {
		int answer = ask(&thp_fault[where]);

		if (answer >= 0 && atomic_load(&thp_fault[where].dev) == dev)
			return answer;
	}
	return false;
}

bool probe_thp_collapse(void)
{
	return ask(&thp_collapse) == 1;
}

int probe_thp_error(void)
{
	int fault = ask(&thp_fault[SHMEM_MEMFD]);
	int collapse = ask(&thp_collapse);

	return fault < 0 ? fault : collapse < 0 ? collapse : 0;
}

int probe_hugetlb(uint64_t page_size)
{
	cleanup_fd int fd = sys_memfd_create("mshare-probe", backing_hugetlb_flags(page_size));
	int err;

	if (fd < 0)
		return fd;
	if (hugelimit_left(page_size, NULL, 0) < page_size)
		return -ENOMEM;
	err = sys_ftruncate(fd, (off_t)page_size);
	return err ? err : backing_reserve(fd, page_size);
}

static uint64_t find_features(void)
{
	uint64_t features = 0;

	if (probe_thp_fault(SHMEM_MEMFD))
		features |= MSHARE_CAP_THP_FAULT;
	if (probe_thp_collapse())
		features |= MSHARE_CAP_THP_COLLAPSE;
	if (!probe_hugetlb(page_sizes()->pmd))
		features |= MSHARE_CAP_HUGE_PMD;
	if (!probe_hugetlb(page_sizes()->pud))
		features |= MSHARE_CAP_HUGE_PUD;
	if (!sys_access_exec(host_path()))
		features |= MSHARE_CAP_HOST;
	if (!flush_uring_probe())
		features |= MSHARE_CAP_IO_URING;
	if (caps_ipc_lock())
		features |= MSHARE_CAP_IPC_LOCK;
	return features;
}

static bool shm_usable(void)
{
	cleanup_fd int fd = sys_open(BACKING_SHM_DIR, O_TMPFILE | O_RDWR, 0600);

	return fd >= 0;
}

int probe_caps(struct mshare_caps *caps)
{
	uint64_t total;
	int err = probe_thp_error();

	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return fail(err, "probe: no descriptor or memory is left to try things with");
	caps->features = find_features();
	if (shm_usable())
		caps->features |= MSHARE_CAP_SHM;
	caps->base_size = page_sizes()->base;
	caps->pmd_size = page_sizes()->pmd;
	caps->pud_size = page_sizes()->pud;
	caps->memlock_limit =
		caps->features & MSHARE_CAP_IPC_LOCK ? UINT64_MAX : sys_memlock_limit();
	if (sys_fs_space(BACKING_SHM_DIR, &total, &caps->shm_free))
		caps->shm_free = 0;
	for (int i = 0; i < MSHARE_BACKEND_COUNT; i++) {
		const struct backend_ops *ops = backend_by_id((enum mshare_backend)i);

		if (ops)
			ops->probe(&caps->backend[i]);
		else
			caps->backend[i].error = EINVAL;
	}
	return 0;
}
