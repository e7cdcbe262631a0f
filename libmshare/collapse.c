/* SPDX-License-Identifier: MIT */
#include "collapse.h"
#include <sys/mman.h>
int collapse_populate(void *addr, size_t len, size_t pmd, bool write)
{
	for (size_t i = 0; i < len; i += pmd)
		(void)!sys_madvise((char *)addr + i, 4096,
				   write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	(void)!sys_madvise(addr, len, 25);
	return sys_madvise(addr, len, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}
long collapse_filled(void *addr, size_t len, size_t pmd, unsigned char *done)
{
	(void)addr;
	(void)len;
	(void)pmd;
	(void)done;
	return 0;
}
