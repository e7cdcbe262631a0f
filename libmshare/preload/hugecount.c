/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/smaps would tell what this process has mapped by huge pages, which is little in one
 * that makes the memory for others, and walks all else that is mapped. So a second mapping of the
 * same bytes is looked at, which nobody has touched: once its first page is touched, a huge page is
 * there from end to end, while of base pages the kernel maps those nearby (64 KiB of them, unless
 * somebody has set fault_around_bytes).
 */
#include "hugecount.h"

#include <errno.h>
#include <fcntl.h>

#include "align.h"
#include "raw.h"

#define PAGEMAP_PRESENT ((uint64_t)1 << 63)

/* Huge pages looked at through one mapping: page tables for this many base pages are its price. */
#define WINDOW 64

struct window {
	char *reserved; /* addresses without memory, which the window lies in */
	size_t reserved_len;
	char *addr; /* a multiple of what a huge page covers */
	int pagemap; /* of this process; or -errno */
};

static int reserve(struct window *w)
{
	uint64_t pmd = page_sizes()->pmd;
	struct map_call room = { .len = (WINDOW + 1) * pmd,
				 .prot = PROT_NONE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 .fd = -1 };
	void *got;
	int err = raw_mmap(&room, &got);

	if (err)
		return err;
	w->reserved = got;
	w->reserved_len = room.len;
	w->addr = (char *)align_down((uintptr_t)got + pmd - 1, pmd);
	return 0;
}

/* Length 0 of a shared mapping: it stays, and the new one has the same bytes. What is locked is
 * mapped at once, whatever its pages: that is taken back. */
static int show(const struct window *w, const char *from, size_t len)
{
	void *got;
	int err = raw_mremap((void *)from, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, w->addr, &got);

	if (!err)
		err = raw_munlock(w->addr, len);
	if (!err)
		err = raw_madvise(w->addr, len, MADV_DONTNEED);
	return err ? err : raw_mprotect(w->addr, len, PROT_READ);
}

static int is_present(const struct window *w, const char *page, bool *present)
{
	uint64_t entry = 0;
	off_t at = (off_t)((uintptr_t)page / page_sizes()->base * sizeof(entry));
	ssize_t got = sys_pread(w->pagemap, &entry, sizeof(entry), at);

	if (got != (ssize_t)sizeof(entry))
		return got < 0 ? (int)got : -EIO;
	*present = entry & PAGEMAP_PRESENT;
	return 0;
}

/* A page that is not in memory is not touched, which would allocate it; nor would it be huge. */
static int is_huge(const struct window *w, char *piece, bool *huge)
{
	const struct page_sizes *sizes = page_sizes();
	unsigned char resident = 0;
	int err = sys_mincore(piece, sizes->base, &resident);

	*huge = false;
	if (err || !(resident & 1))
		return err;
	err = raw_madvise(piece, sizes->base, MADV_POPULATE_READ);
	return err ? err : is_present(w, piece + sizes->pmd - sizes->base, huge);
}

static int count_shown(const struct window *w, size_t pieces, uint64_t *bytes)
{
	uint64_t pmd = page_sizes()->pmd;
	int err = 0;

	for (size_t i = 0; !err && i < pieces; i++) {
		bool huge;

		err = is_huge(w, w->addr + i * pmd, &huge);
		*bytes += huge ? pmd : 0;
	}
	return err;
}

static int count_all(const struct window *w, const char *start, size_t pieces, uint64_t *bytes)
{
	uint64_t pmd = page_sizes()->pmd;
	int err = w->pagemap < 0 ? w->pagemap : 0;

	*bytes = 0;
	for (size_t done = 0, n; !err && done < pieces; done += n) {
		n = pieces - done < WINDOW ? pieces - done : WINDOW;
		err = show(w, start + done * pmd, n * pmd);
		if (!err)
			err = count_shown(w, n, bytes);
	}
	return err;
}

int huge_count(const void *start, size_t len, uint64_t *bytes)
{
	struct window w;
	int err = reserve(&w);
	int gone;

	if (err)
		return err;
	w.pagemap = sys_open("/proc/self/pagemap", O_RDONLY, 0);
	err = count_all(&w, start, len / page_sizes()->pmd, bytes);
	if (w.pagemap >= 0)
		sys_close(w.pagemap);
	gone = raw_munmap(w.reserved, w.reserved_len);
	return err ? err : gone;
}
