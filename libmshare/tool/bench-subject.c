/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "align.h"

const char *const bench_names[BENCH_SUBJECTS] = { "mmap", "plain", "thp", "hugetlb", "shim" };

static int failed(char *why, size_t why_size, const char *what, int err)
{
	snprintf(why, why_size, "%s: %s", what, strerror(-err));
	return err;
}

/* The library's errno and sentence as ours. */
static int library_failed(char *why, size_t why_size)
{
	int err = -errno;

	snprintf(why, why_size, "%s", mshare_errmsg());
	return err;
}

static int make_mmap(struct bench_memory *m, char *why, size_t why_size)
{
	cleanup_fd int fd = sys_memfd_create("mshare-bench", 0);
	int err = fd < 0 ? fd : sys_ftruncate(fd, (off_t)m->size);

	if (err)
		return failed(why, why_size, "memfd", err);
	m->page_size = page_sizes()->base;
	m->fd = keep_fd(&fd);
	return 0;
}

static int take_descriptor(mshare_t r, struct bench_memory *m, char *why, size_t why_size)
{
	struct mshare_stat st = { .size = sizeof(st) };

	if (mshare_stat(r, &st))
		return library_failed(why, why_size);
	m->page_size = st.page_size;
	m->fd = sys_dup(mshare_fd(r));
	return m->fd < 0 ? failed(why, why_size, "dup", m->fd) : 0;
}

/*
 * The backend is forced for this process and its children, so that nothing else can be measured
 * under its name. No handle stays open: children start as processes that never heard of the region.
 */
static int make_region(struct bench_memory *m, char *why, size_t why_size)
{
	mshare_t r;
	int err;

	if (setenv("MSHARE_BACKEND", bench_names[m->subject], 1))
		return failed(why, why_size, "setenv", -ENOMEM);
	r = mshare_create(NULL, m->size, NULL);
	if (!r)
		return library_failed(why, why_size);
	err = take_descriptor(r, m, why, why_size);
	mshare_close(r);
	return err;
}

int bench_make(struct bench_memory *m, char *why, size_t why_size)
{
	return m->subject == BENCH_MMAP ? make_mmap(m, why, why_size)
					: make_region(m, why, why_size);
}

static int attach_mmap(const struct bench_memory *m, void **addr, char *why, size_t why_size)
{
	int flags = MAP_SHARED | (m->populate ? MAP_POPULATE : 0);
	int err = sys_mmap(NULL, m->size, PROT_READ | PROT_WRITE, flags, m->fd, 0, addr);

	return err ? failed(why, why_size, "mmap", err) : 0;
}

static int attach_region(const struct bench_memory *m, mshare_t *r, void **addr, char *why,
			 size_t why_size)
{
	*r = mshare_from_fd(m->fd, NULL);
	if (!*r)
		return library_failed(why, why_size);
	*addr = mshare_attach(*r, NULL, 0, m->size, PROT_READ | PROT_WRITE,
			      m->populate ? MSHARE_POPULATE : 0);
	return *addr == MAP_FAILED ? library_failed(why, why_size) : 0;
}

int bench_attach(const struct bench_memory *m, void **addr, char *why, size_t why_size)
{
	mshare_t r; /* lives as long as the process */

	return m->subject == BENCH_MMAP ? attach_mmap(m, addr, why, why_size)
					: attach_region(m, &r, addr, why, why_size);
}

static void write_words(void *addr, uint64_t size)
{
	volatile uint64_t *words = addr;
	uint64_t page = page_sizes()->base;

	for (uint64_t off = 0; off < size; off += page)
		words[bench_place(off, page) / sizeof(*words)] = bench_word(off);
}

static int make_huge(const struct bench_memory *m, uint64_t *huge, char *why, size_t why_size)
{
	struct bench_memory populated = *m;
	struct mshare_stat st = { .size = sizeof(st), .want = MSHARE_STAT_TABLES };
	mshare_t r;
	void *addr;
	int err;

	populated.populate = true;
	err = attach_region(&populated, &r, &addr, why, why_size);
	if (err)
		return err;
	if (mshare_stat(r, &st))
		return library_failed(why, why_size);
	*huge = st.huge_bytes;
	return 0;
}

int bench_fill(const struct bench_memory *m, uint64_t *huge, char *why, size_t why_size)
{
	struct bench_memory lazily = *m;
	void *addr;
	int err;

	*huge = 0;
	lazily.populate = false;
	err = bench_attach(&lazily, &addr, why, why_size);
	if (err)
		return err;
	write_words(addr, m->size);
	if (m->page_size == page_sizes()->base)
		return 0;
	return make_huge(m, huge, why, why_size);
}
