/* SPDX-License-Identifier: MIT */
#include "commit.h"

/* 2: everything is counted, also with MAP_NORESERVE. */
static bool is_strict(void)
{
	char text[8];

	return sys_read_file("/proc/sys/vm/overcommit_memory", text, sizeof(text)) > 0 &&
	       text[0] == '2';
}

/* Without any right nothing is allocated, not even after mlockall(2); but it is counted. */
static bool is_refused(size_t len)
{
	const struct map_call probe = {
		.len = len, .prot = PROT_NONE, .flags = MAP_SHARED | MAP_ANONYMOUS, .fd = -1
	};
	void *got;

	return raw_mmap(&probe, &got) || raw_munmap(got, len);
}

const char *commit_hindrance(const struct map_call *call, bool populated)
{
	if (is_strict())
		return populated ? NULL
				 : "vm.overcommit_memory is 2, and a region's memory is not set "
				   "aside unless it is hugetlb, or --populate allocates it";
	if (!(call->flags & MAP_NORESERVE) && is_refused(call->len))
		return "the kernel refuses as much memory";
	return NULL;
}
