/* SPDX-License-Identifier: MIT */
#include "small-copy.h"

#include <errno.h>
#include <string.h>

#include "align.h"
#include "memlimit.h"
#include "raw.h"

static bool is_zero(const char *p, size_t page)
{
	return !p[0] && !memcmp(p, p + 1, page - 1);
}

/*
 * Pages that are zero are not touched in the copy, so that it takes no more memory than it has to.
 */
static void copy_pages(char *to, const char *from, size_t len)
{
	size_t page = page_sizes()->base;

	for (size_t off = 0; off < len; off += page)
		if (!is_zero(from + off, page))
			memcpy(to + off, from + off, page);
}

static uint64_t bytes_to_copy(const char *from, size_t len)
{
	size_t page = page_sizes()->base;
	uint64_t bytes = 0;

	for (size_t off = 0; off < len; off += page)
		bytes += is_zero(from + off, page) ? 0 : page;
	return bytes;
}

/* The pool of huge pages gives nothing to a copy: without this the OOM killer would look for it. */
static int check_memory(const char *from, size_t len)
{
	uint64_t left = memlimit_available();

	return left >= len || left >= bytes_to_copy(from, len) ? 0 : -ENOMEM;
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
	if (!err)
		err = check_memory(start, len);
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
