/* SPDX-License-Identifier: MIT */
#include "align.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define PMD_SIZE_FILE "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

static struct page_sizes machine;
static pthread_once_t machine_once = PTHREAD_ONCE_INIT;

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

/* A table is one base page of 8-byte entries at every level (x86-64, arm64, riscv64). */
struct page_sizes page_sizes_from(uint64_t base, const char *hpage_pmd_size)
{
	uint64_t entries = base / 8;
	struct page_sizes sizes = { .base = base, .pmd = base * entries };
	uint64_t told = strtoull(hpage_pmd_size, NULL, 10);

	if (is_power_of_two(told) && told > base)
		sizes.pmd = told;
	sizes.pud = sizes.pmd * entries;
	return sizes;
}

static void read_machine(void)
{
	char text[32] = "";

	if (sys_read_file(PMD_SIZE_FILE, text, sizeof(text)) < 0)
		text[0] = '\0';
	machine = page_sizes_from(sys_page_size(), text);
}

const struct page_sizes *page_sizes(void)
{
	pthread_once(&machine_once, read_machine);
	return &machine;
}

int align_up(uint64_t value, uint64_t to, uint64_t *out)
{
	if (value > (uint64_t)INT64_MAX - (to - 1))
		return -EOVERFLOW;
	*out = align_down(value + to - 1, to);
	return 0;
}

bool align_has_whole(uint64_t start, uint64_t off, uint64_t len, uint64_t unit)
{
	uint64_t before = -start & (unit - 1);

	return is_multiple(start - off, unit) && len >= before && len - before >= unit;
}

uint64_t align_for(const struct page_sizes *sizes, uint64_t size, int level)
{
	switch (level) {
	case MSHARE_ALIGN_AUTO:
		return size >= sizes->pud ? sizes->pud : sizes->pmd;
	case MSHARE_ALIGN_BASE:
		return sizes->base;
	case MSHARE_ALIGN_PMD:
		return sizes->pmd;
	case MSHARE_ALIGN_PUD:
		return sizes->pud;
	default:
		return 0;
	}
}

int align_size(const struct page_sizes *sizes, uint64_t size, int level, uint64_t *out)
{
	uint64_t to = align_for(sizes, size, level);

	if (size == 0 || to == 0)
		return -EINVAL;
	return align_up(size, to, out);
}
