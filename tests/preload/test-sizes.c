/* SPDX-License-Identifier: MIT */
/* Sizes are as asked for: unmapping what was asked leaves nothing, whatever huge pages round up. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "subject.h"

#define ROOM ((size_t)64 << 20)

static void *map(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, size, 1);
	expect_filled(p, size, 1);
	return p;
}

static void unmap_is_whole(void)
{
	size_t before = mapped_total();
	char *p = map(SIZE);

	expect(mapped_bytes(p, SIZE) == SIZE);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

static void length_within_a_page(void)
{
	size_t odd = SIZE + 4096 - 100; /* as programs give it: the kernel rounds up */
	size_t before = mapped_total();
	char *p = map(odd);

	expect(munmap(p, odd) == 0);
	expect(mapped_total() == before);
}

static void protect_and_advise_whole(void)
{
	char *p = map(SIZE);

	expect(mprotect(p, SIZE, PROT_READ) == 0);
	expect_filled(p, SIZE, 1);
	expect(mprotect(p, SIZE, READ_WRITE) == 0);
	fill(p, SIZE, 2);
	expect(msync(p, SIZE, MS_SYNC) == 0);
	expect(madvise(p, SIZE, MADV_DONTNEED) == 0); /* shared memory keeps its bytes */
	expect_filled(p, SIZE, 2);
	expect(munmap(p, SIZE) == 0);
}

/* The neighbour of a mapping whose length is rounded up stays. */
static void neighbours_stay(void)
{
	char *room =
		mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *first = (char *)(((uintptr_t)room + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	char *second = first + SIZE;

	expect(room != MAP_FAILED);
	expect(mmap(first, SIZE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == first);
	expect(mmap(second, 4096, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       second);
	fill(first, SIZE, 3);
	memset(second, 7, 4096);
	expect(munmap(first, SIZE) == 0);
	expect(second[0] == 7 && second[4095] == 7);
	expect(mapped_bytes(first, SIZE) == 0);
	expect(munmap(room, ROOM) == 0);
}

static bool kernel_counts_by_heuristic(void)
{
	FILE *f = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = f ? fgetc(f) : EOF;

	if (f)
		fclose(f);
	return mode == '0';
}

#define TOO_MUCH ((size_t)32 << 40)

/* The process ends without a look at how much of it is huge, which would take long. */
static void map_uncounted(void *unused)
{
	(void)unused;
	expect(mmap(NULL, TOO_MUCH, READ_WRITE, ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
}

/* More than any machine has is refused when it is mapped, not when it is touched. */
static void too_much_is_refused(void)
{
	if (!kernel_counts_by_heuristic())
		return;
	errno = 0;
	expect(mmap(NULL, TOO_MUCH, READ_WRITE, ANONYMOUS, -1, 0) == MAP_FAILED);
	expect(errno == ENOMEM);
	expect_left(TOO_MUCH);
	if (!backend_is("shim"))
		in_child(map_uncounted, NULL);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	expect(munmap(map(SIZE), SIZE) == 0); /* what is set up once */
	expect(mapped_total());
	unmap_is_whole();
	length_within_a_page();
	expect_converted(SIZE);
	expect_converted(SIZE + 4096 - 100);
	protect_and_advise_whole();
	neighbours_stay();
	too_much_is_refused();
	return 0;
}
