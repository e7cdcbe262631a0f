/* SPDX-License-Identifier: MIT */
/*
 * What execve(2) starts begins afresh, and is converted as well; no descriptor is kept, so that
 * programs that close all of them lose nothing and those that count them find none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "subject.h"

static char *map(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, size, 1);
	return p;
}

static void new_program(void)
{
	char *p = map(SIZE + 4096);

	expect(descriptors() == (size_t)atoi(getenv("TEST_DESCRIPTORS")));
	expect(munmap(p, SIZE + 4096) == 0);
}

static void no_descriptors(void)
{
	size_t before = descriptors();
	char text[16];
	char *p;

	snprintf(text, sizeof(text), "%zu", before);
	expect(setenv("TEST_DESCRIPTORS", text, 1) == 0);
	p = map(SIZE);
	expect(descriptors() == before);
	in_new_program("afresh");
	expect_converted(SIZE + 4096);
	expect_filled(p, SIZE, 1);
	expect(munmap(p, SIZE) == 0);
	expect(descriptors() == before);
}

/* Everything closed, and the numbers given to something else: cutting still finds the bytes. */
static void close_all(void *unused)
{
	char *p = map(SIZE);
	char *other;

	(void)unused;
	closefrom(3);
	for (int i = 0; i < 20; i++)
		expect(dup(0) >= 0);
	expect(mprotect(p + (4 << 20), 2 << 20, PROT_READ) == 0);
	expect_filled(p, SIZE, 1);
	other = map(SIZE);
	expect_filled(other, SIZE, 1);
	expect(munmap(p, SIZE) == 0 && munmap(other, SIZE) == 0);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	if (is_mode(argc, argv, "afresh")) {
		new_program();
		return 0;
	}
	no_descriptors();
	expect_converted(SIZE);
	in_child(close_all, NULL);
	return 0;
}
