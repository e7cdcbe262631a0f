/* SPDX-License-Identifier: MIT */
/*
 * Calls on a part of a converted mapping do what they always do, and no byte is lost, also where
 * another process has the mapping too.
 */
#define HUGE ((size_t)2 << 20)

#include <unistd.h>

#include "subject.h"

static char *map(void)
{
	char *p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, SIZE, 1);
	return p;
}

/* What the other half of a pair sees and does. */
struct pair {
	char *p;
	int to_child[2];
	int to_parent[2];
};

static void say(int fd)
{
	expect(write(fd, "x", 1) == 1);
}

static void hear(int fd)
{
	char byte;

	expect(read(fd, &byte, 1) == 1);
}

/* Sees what the parent writes after it has cut its own mapping up, and writes itself. */
static void other_half(struct pair *pair)
{
	hear(pair->to_child[0]);
	expect_filled(pair->p, SIZE, 2);
	fill(pair->p, SIZE, 3);
	say(pair->to_parent[1]);
	_exit(0);
}

static void protect_a_part(void)
{
	char *p = map();

	expect(mprotect(p + 2 * HUGE, HUGE, PROT_READ) == 0);
	expect_filled(p, SIZE, 1);
	expect(mprotect(p + 2 * HUGE, HUGE, READ_WRITE) == 0);
	fill(p, SIZE, 4);
	expect_filled(p, SIZE, 4);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_bytes(p, SIZE) == 0);
}

static void shared_while_cut(void)
{
	struct pair pair = { .p = map() };
	pid_t pid;

	expect(pipe(pair.to_child) == 0 && pipe(pair.to_parent) == 0);
	pid = fork();
	if (pid == 0)
		other_half(&pair);
	expect(mprotect(pair.p + 2 * HUGE, HUGE, PROT_READ) == 0);
	expect(mprotect(pair.p + 2 * HUGE, HUGE, READ_WRITE) == 0);
	fill(pair.p, SIZE, 2);
	say(pair.to_child[1]);
	hear(pair.to_parent[0]);
	expect_filled(pair.p, SIZE, 3);
	wait_for(pid);
	expect(munmap(pair.p, SIZE) == 0);
	for (int i = 0; i < 2; i++)
		close(pair.to_child[i]), close(pair.to_parent[i]);
}

static void unmap_in_pieces(void)
{
	size_t before = mapped_total();
	char *p = map();

	expect(munmap(p + 4 * HUGE, 2 * HUGE) == 0);
	expect(mapped_bytes(p, SIZE) == SIZE - 2 * HUGE);
	expect_filled(p, 4 * HUGE, 1);
	expect(munmap(p, 4 * HUGE) == 0);
	expect(munmap(p + 6 * HUGE, SIZE - 6 * HUGE) == 0);
	expect(mapped_total() == before);
}

static void replace_a_part(void)
{
	size_t before = mapped_total();
	char *p = map();
	char *middle = p + 4 * HUGE;

	expect(mmap(middle, HUGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       middle);
	expect(middle[0] == 0 && middle[HUGE - 1] == 0);
	expect_filled(p, 4 * HUGE, 1);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

/* From the middle to the end that the program knows of, and the other way round. */
static void replace_the_ends(void)
{
	size_t before = mapped_total();
	char *p = map();
	char *end = p + 8 * HUGE;

	expect(mmap(end, SIZE - 8 * HUGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) == end);
	expect(end[0] == 0);
	expect_filled(p, 8 * HUGE, 1);
	expect(mmap(p, 2 * HUGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	expect(p[0] == 0);
	expect(mapped_total() == before + SIZE);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

static void holes(void)
{
	char *p = map();

	expect(madvise(p + 2 * HUGE, 2 * HUGE, MADV_REMOVE) == 0);
	expect(p[2 * HUGE] == 0 && p[4 * HUGE - 1] == 0);
	expect_filled(p, 2 * HUGE, 1);
	expect(madvise(p, HUGE, MADV_DONTFORK) == 0 && madvise(p, HUGE, MADV_DOFORK) == 0);
	expect(madvise(p, HUGE, 12345) == -1);
	expect_filled(p, 2 * HUGE, 1);
	expect(munmap(p, SIZE) == 0);
}

/* Pieces of huge pages that were cut out earlier are nobody's any more. */
static void guard_after_a_cut(void)
{
	size_t before = mapped_total();
	char *p = map();

	expect(munmap(p + 2 * HUGE, HUGE) == 0);
	if (mprotect(p + SIZE - 4096, 4096, PROT_NONE) == 0)
		expect(mprotect(p + SIZE - 4096, 4096, READ_WRITE) == 0);
	else
		expect(backend_is("hugetlb"));
	expect_filled(p, 2 * HUGE, 1);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

/* A multiple of what a huge page covers has parts as well. */
static void parts_of_an_even_size(void)
{
	const size_t size = 10 * HUGE;
	size_t before = mapped_total();
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, size, 1);
	expect(mprotect(p + 4096, 4096, PROT_READ) == 0);
	expect_filled(p, size, 1);
	expect(munmap(p + size - 4096, 4096) == 0);
	expect_filled(p, size - 4096, 1);
	expect(munmap(p, size) == 0);
	expect(mapped_total() == before);
}

/* Over all of it, with something of another kind. */
static void replace_the_whole(void)
{
	size_t before = mapped_total();
	char *p = map();

	expect(mmap(p, SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	expect(mapped_bytes(p, SIZE) == SIZE && p[0] == 0 && p[SIZE - 1] == 0);
	expect(mapped_total() == before + SIZE);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

static void move(void)
{
	size_t before = mapped_total();
	char *p = map();
	char *moved = mremap(p, SIZE, SIZE, MREMAP_MAYMOVE);

	expect(moved != MAP_FAILED);
	expect_filled(moved, SIZE, 1);
	moved = mremap(moved, SIZE, 4 * HUGE, MREMAP_MAYMOVE);
	expect(moved != MAP_FAILED);
	expect_filled(moved, 4 * HUGE, 1);
	expect(mapped_total() == before + 4 * HUGE);
	expect(munmap(moved, 4 * HUGE) == 0);
	expect(mapped_total() == before);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	protect_a_part();
	parts_of_an_even_size();
	expect_converted(SIZE);
	shared_while_cut();
	unmap_in_pieces();
	replace_a_part();
	replace_the_ends();
	replace_the_whole();
	holes();
	guard_after_a_cut();
	move();
	return 0;
}
