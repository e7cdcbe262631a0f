/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "fake.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { MAPPINGS = 128 };

bool fake_cleanup_fails;
unsigned int fake_huge_advised;

static struct mapping {
	uintptr_t start, end; /* equal: free */
	struct fake_file *file; /* NULL: reserved address space */
} mappings[MAPPINGS];

bool fake_pool_take(uint64_t page_size, uint64_t bytes)
{
	long *pool = page_size == FAKE_PUD ? &fake.pool_pud : &fake.pool_pmd;
	long pages = (long)(bytes / page_size);

	if (*pool < pages)
		return false;
	*pool -= pages;
	return true;
}

void fake_pool_give(uint64_t page_size, uint64_t bytes)
{
	*(page_size == FAKE_PUD ? &fake.pool_pud : &fake.pool_pmd) += (long)(bytes / page_size);
}

/* As hugetlb_reserve_pages(): what the object lacks is taken when it is mapped. */
static int reserve(struct fake_file *file, uint64_t end)
{
	uint64_t more = end > file->reserved ? end - file->reserved : 0;

	if (file->kind != FAKE_HUGE || more == 0)
		return 0;
	if (!fake_pool_take(file->page_size, more))
		return -ENOMEM;
	file->reserved += more;
	return 0;
}

static void add(uintptr_t start, uintptr_t end, struct fake_file *file)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].start == mappings[i].end) {
			mappings[i] = (struct mapping){ start, end, file };
			if (file)
				fake_file_use(file);
			return;
		}
	}
}

/* Cuts [start, end) out of whatever lies there. */
static void cut(uintptr_t start, uintptr_t end)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		struct mapping m = mappings[i];

		if (m.start == m.end || m.end <= start || m.start >= end)
			continue;
		mappings[i].end = mappings[i].start;
		if (m.start < start)
			add(m.start, start, m.file);
		if (m.end > end)
			add(end, m.end, m.file);
		if (m.file)
			fake_file_drop(m.file);
	}
}

static int check_file(int fd, int prot, int flags)
{
	struct fake_file *file = fake_file_of(fd);

	if (flags & MAP_ANONYMOUS)
		return 0;
	if (!file)
		return -EBADF;
	if (file->kind == FAKE_PIPE)
		return -ENODEV;
	if ((prot & PROT_WRITE) && !fake_fd_writable(fd))
		return -EACCES;
	return (prot & PROT_WRITE) && (file->seals & F_SEAL_WRITE) ? -EPERM : 0;
}

static int fault_of_mmap(int flags)
{
	if ((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE)
		return fake_fault_here("mmap at an address",
				       (int[]){ ENOMEM, EAGAIN, EEXIST, EPERM, 0 });
	return fake_fault_here("mmap", (int[]){ ENOMEM, EAGAIN, 0 });
}

/* Real address space without memory: the addresses are what Linux would choose. */
static int take_address_space(void *addr, size_t len, int flags, void **out)
{
	int how = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	void *got = NULL;

	if (fake.no_noreplace)
		how &= ~MAP_FIXED_NOREPLACE;
	got = mmap(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0);
	if (got == MAP_FAILED)
		return -errno;
	*out = got;
	return 0;
}

int sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off, void **out)
{
	struct fake_file *file = flags & MAP_ANONYMOUS ? NULL : fake_file_of(fd);
	int err = check_file(fd, prot, flags);
	void *got = NULL;

	if (!err)
		err = fault_of_mmap(flags);
	if (!err && file)
		err = reserve(file, (uint64_t)off + len);
	if (!err)
		err = take_address_space(addr, len, flags, &got);
	if (err)
		return err;
	cut((uintptr_t)got, (uintptr_t)got + len);
	add((uintptr_t)got, (uintptr_t)got + len, file);
	*out = got;
	return 0;
}

int sys_munmap(void *addr, size_t len)
{
	int err = fake_cleanup_fails ? FAULT(ENOMEM) : 0;

	if (err)
		return err;
	cut((uintptr_t)addr, (uintptr_t)addr + len);
	return munmap(addr, len) ? -errno : 0;
}

/* Whether all of it is mapped from files. */
static bool is_mapped(uintptr_t start, uintptr_t end)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].file && mappings[i].start <= start && start < mappings[i].end)
			return mappings[i].end >= end || is_mapped(mappings[i].end, end);
	}
	return false;
}

/* As shmem_huge_global_enabled(): each mount has its own setting. */
static bool is_huge_on_touch(uintptr_t addr)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].file && mappings[i].start <= addr && addr < mappings[i].end)
			return mappings[i].file->in_shm ? fake.shm_huge : fake.thp_fault;
	}
	return false;
}

int sys_madvise(void *addr, size_t len, int advice)
{
	int err;

	if (!is_mapped((uintptr_t)addr, (uintptr_t)addr + len))
		return -ENOMEM;
	switch (advice) {
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		err = fake_fault_here("populate", (int[]){ ENOMEM, EFAULT, EINVAL, 0 });
		return fake.no_populate ? -EINVAL : err;
	case MADV_COLLAPSE:
		err = fake_fault_here("collapse", (int[]){ ENOMEM, EAGAIN, EBUSY, EINVAL, 0 });
		return fake.thp_collapse ? err : -EINVAL;
	case MADV_HUGEPAGE:
		err = fake_fault_here("advise huge", (int[]){ ENOMEM, EINVAL, 0 });
		fake_huge_advised += !err;
		return fake.thp_fault || fake.shm_huge || fake.thp_collapse ? err : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* After one touch: all of the huge page, or the one base page. */
int sys_mincore(void *addr, size_t len, unsigned char *vec)
{
	int err = FAULT(EAGAIN, ENOMEM);

	if (err || !is_mapped((uintptr_t)addr, (uintptr_t)addr + len))
		return err ? err : -ENOMEM;
	memset(vec, is_huge_on_touch((uintptr_t)addr), len / 4096);
	vec[0] = 1;
	return 0;
}

int sys_msync(void *addr, size_t len)
{
	(void)addr;
	(void)len;
	return FAULT(EIO, ENOSPC, EDQUOT);
}

void fake_memory_usage(struct fake_usage *usage)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		usage->mappings += mappings[i].start != mappings[i].end;
		usage->mapped_bytes += mappings[i].end - mappings[i].start;
	}
}
