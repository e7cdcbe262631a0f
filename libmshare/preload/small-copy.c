/* SPDX-License-Identifier: MIT */
#include "small-copy.h"

#include <string.h>

#include "align.h"
#include "raw.h"

/*
 * Pages that are zero are not touched in the copy, so that it takes no more memory than it has to.
 */
static void copy_pages(char *to, const char *from, size_t len)
{
	size_t page = page_sizes()->base;

	for (size_t off = 0; off < len; off += page) {
		const char *p = from + off;

		if (p[0] || memcmp(p, p + 1, page - 1) != 0)
			memcpy(to + off, p, page);
	}
}

int small_copy(void *start, size_t len, int prot)
{
	struct map_call call = { .len = len,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
				 .fd = -1 };
	void *copy;
	int err = raw_mmap(&call, &copy);

	if (err)
		return err;
	if (!(prot & PROT_READ))
		err = raw_mprotect(start, len, PROT_READ);
	if (!err) {
		copy_pages(copy, start, len);
		err = raw_mprotect(copy, len, prot);
	}
	if (!err)
		err = raw_mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, start, &copy);
	if (err && (raw_munmap(copy, len) || raw_mprotect(start, len, prot)))
		return err;
	return err;
}
