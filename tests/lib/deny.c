/* SPDX-License-Identifier: MIT */
#include "deny.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"
#include "mshare/abi.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* Arguments are looked at by their low half, which comes first on little-endian machines. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "argument offsets are for little-endian machines"
#endif

static void install(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { .len = length, .filter = filter };

	check(check_in_child);
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

void deny_call(int number, int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

void deny_call_with(int number, unsigned int arg, uint32_t mask, uint32_t value, int err)
{
	uint32_t where = (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t));
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, where),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

void deny_hugetlb(void)
{
	deny_call_with(SYS_memfd_create, 1, MFD_HUGETLB, MFD_HUGETLB, EINVAL);
	deny_call_with(SYS_mmap, 3, MAP_HUGETLB, MAP_HUGETLB, EINVAL);
}

/* PR_SET_THP_DISABLE also covers kernels that give huge pages to shared memory without being asked.
 */
void deny_thp(void)
{
	check(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	deny_call_with(SYS_madvise, 2, UINT32_MAX, MADV_HUGEPAGE, EINVAL);
	deny_call_with(SYS_madvise, 2, UINT32_MAX, MADV_COLLAPSE, EINVAL);
}

void deny_shim(void)
{
	const uint32_t type = _IOC_TYPEMASK << _IOC_TYPESHIFT;

	deny_call_with(SYS_ioctl, 1, type, MSHARE_CTL_MAGIC << _IOC_TYPESHIFT, ENOTTY);
}

void deny_io_uring(void)
{
	deny_call(SYS_io_uring_setup, EPERM);
}
