/* SPDX-License-Identifier: MIT */
/* mremap(2) of converted mappings and onto them: every byte beside the range stays where it is. */
#include "subject.h"

#define HUGE ((size_t)2 << 20)
#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define TAKEN (14 * HUGE)

static const size_t page = 4096;
static char *room; /* a huge page begins there; addresses for more than SIZE, all free */

static char *map(void *hint, size_t size)
{
	char *p = mmap(hint, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED && (!hint || p == hint));
	return p;
}

static char *map_private(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, size, 7);
	return p;
}

static void find_room(void)
{
	size_t size = 2 * TAKEN;
	char *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED && munmap(p, size) == 0);
	room = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
}

/* Something small over [from, from+len) of a converted mapping, which keeps the rest. */
static void over(size_t from, size_t len)
{
	size_t before = mapped_total();
	char *p = map(NULL, SIZE);
	char *other = map_private(len);
	size_t end = from + len;

	fill(p, from, 1);
	fill(p + end, SIZE - end, 2);
	expect(mremap(other, len, len, FIXED, p + from) == p + from);
	expect_filled(p, from, 1);
	expect_filled(p + from, len, 7);
	expect_filled(p + end, SIZE - end, 2);
	expect(mapped_bytes(p, SIZE) == SIZE);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

/* Past the end: what lies there is no part of the mapping that was, when that is unmapped. */
static void over_more(size_t len)
{
	size_t before = mapped_total();
	char *p = map(room, SIZE);
	char *other = map_private(len);

	fill(p, SIZE, 1);
	expect(mremap(other, len, len, FIXED, p) == p);
	expect_filled(p, len, 7);
	fill(p + SIZE, len - SIZE, 2);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_bytes(p + SIZE, len - SIZE) == len - SIZE);
	expect_filled(p + SIZE, len - SIZE, 2);
	expect(munmap(p + SIZE, len - SIZE) == 0);
	expect(mapped_total() == before);
}

static void over_another(void)
{
	size_t before = mapped_total();
	char *p = map(NULL, SIZE);
	char *q = map(NULL, SIZE);

	fill(p, SIZE, 1);
	fill(q, SIZE, 2);
	expect(mremap(p, SIZE, SIZE, FIXED, q) == q);
	expect_filled(q, SIZE, 1);
	expect(munmap(q, SIZE) == 0);
	expect(mapped_total() == before);
}

/* What begins right behind the new place is not a byte shorter. */
static void beside(void)
{
	size_t before = mapped_total();
	char *p = map(NULL, SIZE);
	char *live = room + SIZE;

	fill(p, SIZE, 1);
	expect(mmap(live, HUGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       live);
	fill(live, HUGE, 2);
	expect(mremap(p, SIZE, SIZE, FIXED, room) == room);
	expect_filled(room, SIZE, 1);
	expect_filled(live, HUGE, 2);
	expect(munmap(room, SIZE) == 0);
	expect_filled(live, HUGE, 2);
	expect(munmap(live, HUGE) == 0);
	expect(mapped_total() == before);
}

/* The end of one, by itself. */
static void the_end(void)
{
	size_t before = mapped_total();
	char *p = map(NULL, SIZE);
	size_t len = SIZE - 4 * HUGE;

	fill(p, 4 * HUGE, 1);
	fill(p + 4 * HUGE, len, 2);
	expect(mremap(p + 4 * HUGE, len, len, FIXED, room) == room);
	expect_filled(p, 4 * HUGE, 1);
	expect_filled(room, len, 2);
	expect(munmap(p, 4 * HUGE) == 0 && munmap(room, len) == 0);
	expect(mapped_total() == before);
}

/* Beyond what was mapped there is no memory, only addresses. */
static void grow(size_t len)
{
	size_t before = mapped_total();
	char *p = map(NULL, SIZE);
	char *grown;

	fill(p, SIZE, 1);
	grown = mremap(p, SIZE, len, MREMAP_MAYMOVE);
	expect(grown != MAP_FAILED);
	expect_filled(grown, SIZE, 1);
	expect(mapped_bytes(grown, len) == len);
	expect(munmap(grown, len) == 0);
	expect(mapped_total() == before);
}

/* Calls that the kernel refuses change nothing. */
static void refusals(void)
{
	char *p = map(NULL, SIZE);
	char *other = map_private(SIZE);

	fill(p, SIZE, 1);
	expect(mremap(other, SIZE, SIZE, MREMAP_FIXED, p) == MAP_FAILED);
	expect(mremap(other, SIZE, 0, FIXED, p) == MAP_FAILED);
	expect(mremap(p + HUGE, 2 * HUGE, 2 * HUGE, FIXED, p) == MAP_FAILED);
	expect_filled(p, SIZE, 1);
	expect(munmap(p, SIZE) == 0 && munmap(other, SIZE) == 0);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	find_room();
	over(0, SIZE);
	over(0, 2 * HUGE);
	over(0, SIZE - page);
	over(4 * HUGE, 2 * HUGE + page);
	over(4 * HUGE, SIZE - 4 * HUGE);
	over(5 * HUGE + page, SIZE - 5 * HUGE - page);
	over(10 * HUGE, page);
	over_more(SIZE + page);
	over_more(SIZE + HUGE);
	over_more(TAKEN);
	over_another();
	beside();
	the_end();
	grow(SIZE + page);
	grow(SIZE + 4 * HUGE);
	refusals();
	expect_converted(SIZE);
	return 0;
}
