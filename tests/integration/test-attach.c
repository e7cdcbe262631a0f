/* SPDX-License-Identifier: MIT */
/* mshare_attach(): where the mapping is, how long, of which part, and what it never replaces. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define PARTS 4

static void *attached(mshare_t r, void *addr, off_t off, size_t len, unsigned int flags)
{
	void *p = mshare_attach(r, addr, off, len, READ_WRITE, flags);

	check(p != MAP_FAILED);
	return p;
}

/* An aligned address where nothing is mapped, with room on both sides. */
static char *free_place(size_t len, size_t align)
{
	size_t room = len + 2 * align;
	uintptr_t p = (uintptr_t)mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check((void *)p != MAP_FAILED);
	check(munmap((void *)p, room) == 0);
	return (char *)((p + align - 1) & ~(align - 1));
}

static void whole(void **state)
{
	mshare_t r = region_make(PARTS * pmd_size());
	char *p = region_attach_all(r);
	struct proc_mapping m;

	(void)state;
	check(proc_mapping_at(p, &m));
	check_equal(m.start, p);
	check_equal(m.end, p + PARTS * pmd_size());
	check_equal(m.off, 0);
	check_equal(m.dev, region_file(r).st_dev);
	check_equal(m.ino, region_file(r).st_ino);
	check(strcmp(m.perms, "rw-s") == 0);
	check_equal((uintptr_t)p % region_stat(r, 0).alignment, 0);
	check(mshare_detach(r, p, PARTS * pmd_size()) == 0);
	region_end(r);
}

static void protections(void **state)
{
	static const struct {
		int prot;
		const char *perms;
	} cases[] = { { PROT_NONE, "---s" }, { PROT_READ, "r--s" }, { READ_WRITE, "rw-s" } };
	mshare_t r = region_make(pmd_size());

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *p = mshare_attach(r, NULL, 0, pmd_size(), cases[i].prot, 0);
		struct proc_mapping m;

		check(p != MAP_FAILED);
		check(proc_mapping_at(p, &m));
		check(strcmp(m.perms, cases[i].perms) == 0);
		check(mshare_detach(r, p, pmd_size()) == 0);
	}
	region_end(r);
}

static void parts(void **state)
{
	mshare_t r = region_make(PARTS * pmd_size());
	char *all = region_attach_all(r);

	(void)state;
	check_equal(region_stat(r, 0).grid, pmd_size());
	for (size_t i = 0; i < PARTS; i++) {
		off_t off = (off_t)(i * pmd_size());
		char *p = attached(r, NULL, off, pmd_size(), 0);
		struct proc_mapping m;

		check(proc_mapping_at(p, &m));
		check_equal(m.off, off);
		check_equal((uintptr_t)p % region_stat(r, 0).alignment, 0);
		bytes_fill(p, pmd_size(), i);
		bytes_check(all + off, pmd_size(), i);
		check(mshare_detach(r, p, pmd_size()) == 0);
	}
	check_equal(region_stat(r, 0).attachments, 1);
	region_end(r);
}

/* One byte takes one page, of the size the file has, or what is shared of the tables. */
static void length_is_rounded_up(void **state)
{
	mshare_t r = region_make(2 * pmd_size());
	size_t page = backend_mapped(1);
	char *p = attached(r, NULL, (off_t)pmd_size(), 1, 0);
	struct proc_mapping m;

	(void)state;
	check(proc_mapping_at(p, &m));
	check_equal(m.end - m.start, page);
	check(mshare_detach(r, p, 1) == 0);
	check(!proc_mapped(p, page));
	region_end(r);
}

static void aligned_as_asked(void **state)
{
	struct mshare_caps caps = { .size = sizeof(caps) };
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	(void)state;
	check(mshare_probe(&caps) == 0);
	attr.flags = MSHARE_NORESERVE;
	for (int level = MSHARE_ALIGN_BASE; level <= MSHARE_ALIGN_PUD; level++) {
		size_t align = level == MSHARE_ALIGN_BASE  ? caps.base_size
			       : level == MSHARE_ALIGN_PMD ? caps.pmd_size
							   : caps.pud_size;
		mshare_t r;
		void *p;

		attr.align = (uint32_t)level;
		r = region_make_with(2 * pmd_size(), &attr);
		if (align < region_stat(r, 0).page_size)
			align = region_stat(r, 0).page_size;
		if (align < backend_mapped(1))
			align = backend_mapped(1);
		check_equal(region_stat(r, 0).alignment, align);
		p = attached(r, NULL, 0, 2 * pmd_size(), 0);
		check_equal((uintptr_t)p % align, 0);
		check(mshare_detach(r, p, 2 * pmd_size()) == 0);
		region_end(r);
	}
}

static void many_are_all_aligned(void **state)
{
	mshare_t r = region_make(PARTS * pmd_size());
	size_t alignment = region_stat(r, 0).alignment;
	char *p[16];

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		p[i] = attached(r, NULL, 0, (i % PARTS + 1) * pmd_size(), 0);
		check_equal((uintptr_t)p[i] % alignment, 0);
	}
	check_equal(region_stat(r, 0).attachments, 16);
	check_equal(proc_file_mappings(region_file(r)), 16);
	for (size_t i = 0; i < 16; i++)
		check(mshare_detach(r, p[i], (i % PARTS + 1) * pmd_size()) == 0);
	check_equal(proc_file_mappings(region_file(r)), 0);
	region_end(r);
}

static void hint(void **state)
{
	mshare_t r = region_make(pmd_size());
	char *place = free_place(pmd_size(), pmd_size());
	char *p = attached(r, place, 0, pmd_size(), 0), *other;

	(void)state;
	check_equal(p, place);
	p[0] = 'h';
	other = attached(r, place, 0, pmd_size(), 0);
	check(other != place);
	check_equal(other[0], 'h');
	check_equal((uintptr_t)other % region_stat(r, 0).alignment, 0);
	check_refused(mshare_attach(r, place + page_size(), 0, 1, PROT_READ, 0) == MAP_FAILED,
		      EINVAL);
	region_end(r);
	check(munmap(p, pmd_size()) == 0 && munmap(other, pmd_size()) == 0);
}

static void fixed(void **state)
{
	mshare_t r = region_make(pmd_size());
	char *place = free_place(pmd_size(), pmd_size());

	(void)state;
	check_equal(attached(r, place, 0, pmd_size(), MSHARE_FIXED), place);
	check_refused(mshare_attach(r, place, 0, pmd_size(), READ_WRITE, MSHARE_FIXED) ==
			      MAP_FAILED,
		      EEXIST);
	check_equal(region_stat(r, 0).attachments, 1);
	check(mshare_detach(r, place, pmd_size()) == 0);
	check_equal(attached(r, place, 0, pmd_size(), MSHARE_FIXED), place);
	check(mshare_detach(r, place, pmd_size()) == 0);
	check_refused(mshare_attach(r, NULL, 0, pmd_size(), READ_WRITE, MSHARE_FIXED) == MAP_FAILED,
		      EINVAL);
	region_end(r);
}

/* Whatever lies in the way, at the beginning or the end of the range, stays as it was. */
static void fixed_replaces_nothing(void **state)
{
	const size_t len = 2 * pmd_size();
	const size_t where[] = { 0, pmd_size() + page_size(), len - page_size() };
	mshare_t r = region_make(len);
	char *place = free_place(len, pmd_size());

	(void)state;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		char *old = mmap(place + where[i], page_size(), READ_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		check_equal(old, place + where[i]);
		bytes_fill(old, page_size(), i);
		check_refused(mshare_attach(r, place, 0, len, READ_WRITE, MSHARE_FIXED) ==
				      MAP_FAILED,
			      EEXIST);
		bytes_check(old, page_size(), i);
		check_equal(proc_file_mappings(region_file(r)), 0);
		check(munmap(old, page_size()) == 0);
	}
	check_equal(attached(r, place, 0, len, MSHARE_FIXED), place);
	check(mshare_detach(r, place, len) == 0);
	region_end(r);
}

struct place {
	mshare_t region;
	char *addr;
	size_t len;
};

static void attach_there(void *arg)
{
	const struct place *p = arg;

	check_equal(attached(p->region, p->addr, 0, p->len, MSHARE_FIXED), p->addr);
	bytes_check(p->addr, p->len, 7);
}

/* What the kernel picked for one is on the grid, and so good for every process. */
static void picked_address_may_be_given_again(void **state)
{
	const size_t len = pmd_size() + page_size();
	mshare_t r = region_make(2 * pmd_size());
	char *odd = mmap(NULL, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	check(odd != MAP_FAILED); /* the next address the kernel likes is no multiple of the grid */
	for (size_t i = 0; i < PARTS; i++) {
		struct place place = { r, attached(r, NULL, 0, len, 0), len };

		check_equal((uintptr_t)place.addr % region_stat(r, 0).grid, 0);
		bytes_fill(place.addr, len, 7);
		check(mshare_detach(r, place.addr, len) == 0);
		child_run(attach_there, &place);
		attach_there(&place);
		check(mshare_detach(r, place.addr, len) == 0);
	}
	check(munmap(odd, page_size()) == 0);
	region_end(r);
}

static void past_the_end(void **state)
{
	const size_t size = 2 * pmd_size();
	mshare_t r = region_make(size);

	(void)state;
	check_refused(mshare_attach(r, NULL, 0, size + 1, PROT_READ, 0) == MAP_FAILED, ENXIO);
	check_refused(mshare_attach(r, NULL, (off_t)size, 1, PROT_READ, 0) == MAP_FAILED, ENXIO);
	check_refused(mshare_attach(r, NULL, (off_t)pmd_size(), size, PROT_READ, 0) == MAP_FAILED,
		      ENXIO);
	check_equal(region_stat(r, 0).attachments, 0);
	check_equal(proc_file_mappings(region_file(r)), 0);
	region_end(r);
}

static void large_region_is_aligned_to_pud(void **state)
{
	struct mshare_caps caps = { .size = sizeof(caps) };
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t r;
	void *p;

	(void)state;
	if (backend_is(MSHARE_BACKEND_HUGETLB)) /* needs that much in the pool: test-hugetlb-pud */
		return;
	check(mshare_probe(&caps) == 0);
	attr.flags = MSHARE_NORESERVE;
	r = region_make_with(caps.pud_size + 1, &attr);
	check_equal(region_size(r), 2 * caps.pud_size);
	check_equal(region_stat(r, 0).alignment, caps.pud_size);
	p = region_attach_all(r);
	check_equal((uintptr_t)p % caps.pud_size, 0);
	check(mshare_detach(r, p, 2 * caps.pud_size) == 0);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(protections),
		cmocka_unit_test(parts),
		cmocka_unit_test(length_is_rounded_up),
		cmocka_unit_test(aligned_as_asked),
		cmocka_unit_test(many_are_all_aligned),
		cmocka_unit_test(hint),
		cmocka_unit_test(fixed),
		cmocka_unit_test(fixed_replaces_nothing),
		cmocka_unit_test(picked_address_may_be_given_again),
		cmocka_unit_test(past_the_end),
		cmocka_unit_test(large_region_is_aligned_to_pud),
	};

	return RUN_CASES(cases);
}
