/* SPDX-License-Identifier: MIT */
/* A program that asks for reserved huge pages itself gets them, at an address where processes share
 * the tables of its mapping. */
#include <errno.h>

#include "subject.h"

#define GIB ((size_t)1 << 30)

static void write_at_the_end(void *p)
{
	((char *)p)[GIB - 1] = 2;
}

int main(int argc, char **argv)
{
	char *p;

	subject_start(argc, argv, (const char *const[]){ NULL });
	p = mmap(NULL, GIB, READ_WRITE, ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED && errno == ENOMEM)
		skip_all("needs 1 GiB of huge pages");
	expect(p != MAP_FAILED);
	expect_left(GIB);
	expect((uintptr_t)p % GIB == 0);
	in_child(write_at_the_end, p);
	expect(p[GIB - 1] == 2);
	expect(munmap(p, GIB) == 0);
	return 0;
}
