/* SPDX-License-Identifier: MIT */
/* A page without rights at the edge of a shared mapping, as allocators put them, on pages of any
 * size; and parts that are no multiple of a huge page. */
#include <unistd.h>

#include "subject.h"

static size_t page;

static char *map(void)
{
	char *p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, SIZE, 1);
	return p;
}

static void guard_at_the_start(void)
{
	char *p = map();

	expect(mprotect(p, page, PROT_NONE) == 0);
	expect(mprotect(p + SIZE - page, page, PROT_NONE) == 0);
	expect(mprotect(p, SIZE, READ_WRITE) == 0);
	expect_filled(p, SIZE, 1);
	expect(munmap(p, SIZE) == 0);
}

static void cut_at_a_small_page(void)
{
	size_t before = mapped_total();
	char *p = map();

	expect(munmap(p + SIZE - page, page) == 0);
	expect(munmap(p, page) == 0);
	expect(mapped_total() == before + SIZE - 2 * page);
	expect(munmap(p + page, SIZE - 2 * page) == 0);
	expect(mapped_total() == before);
}

static void small_page_in_the_middle(void)
{
	size_t before = mapped_total();
	char *p = map();
	char *middle = p + (4 << 20) + page;

	expect(mmap(middle, page, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       middle);
	expect(middle[0] == 0);
	expect_filled(p, 4 << 20, 1);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

int main(int argc, char **argv)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	subject_start(argc, argv, (const char *const[]){ NULL });
	guard_at_the_start();
	expect_converted(SIZE);
	cut_at_a_small_page();
	small_page_in_the_middle();
	return 0;
}
