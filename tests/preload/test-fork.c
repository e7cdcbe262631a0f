/* SPDX-License-Identifier: MIT */
/* fork(2) without exec inherits converted mappings; children convert for themselves; vfork(2) and a
 * bare clone(2) are left alone. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject.h"

static char *map(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

static void write_over(void *p)
{
	expect_filled(p, SIZE, 1);
	fill(p, SIZE, 2);
}

static void seen_by_both(void)
{
	char *p = map(SIZE);

	fill(p, SIZE, 1);
	in_child(write_over, p);
	expect_filled(p, SIZE, 2);
	expect(munmap(p, SIZE) == 0);
}

/* The child's own mapping, and what it does to the inherited one, is not the parent's business. */
static void unmap_and_map(void *p)
{
	char *own;

	expect(munmap(p, SIZE) == 0);
	own = map(SIZE + 8192);
	fill(own, SIZE, 5);
	in_child(write_over, (fill(own, SIZE, 1), own));
	expect_filled(own, SIZE, 2);
	expect(munmap(own, SIZE + 8192) == 0);
}

static void child_converts(void)
{
	char *p = map(SIZE);

	fill(p, SIZE, 1);
	in_child(unmap_and_map, p);
	expect_filled(p, SIZE, 1);
	expect_converted(SIZE + 8192);
	expect(munmap(p, SIZE) == 0);
}

/* A child that cuts its copy up leaves the parent's as it is. */
static void cut(void *p)
{
	char *part = (char *)p + (4 << 20);

	expect(munmap(part, 2 << 20) == 0);
	fill(p, 4 << 20, 9);
}

static void child_cuts(void)
{
	size_t before = mapped_total();
	char *p = map(SIZE);

	fill(p, SIZE, 1);
	in_child(cut, p);
	expect(mapped_bytes(p, SIZE) == SIZE);
	expect_filled(p, 4 << 20, 9);
	expect(munmap(p, SIZE) == 0);
	expect(mapped_total() == before);
}

/* Its memory is ours, its descriptors and its life are not: whatever it maps goes to the kernel. */
static void after_vfork(void)
{
	size_t size = SIZE + 16384;
	char *volatile mapped = NULL;
	pid_t pid = vfork();

	if (pid == 0) {
		mapped = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);
		_exit(mapped == MAP_FAILED);
	}
	wait_for(pid);
	mapped[size - 1] = 1;
	expect(munmap(mapped, size) == 0);
	expect_unseen(size);
}

static void after_clone(void)
{
	size_t size = SIZE + 20480;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

		_exit(p == MAP_FAILED || munmap(p, size));
	}
	wait_for(pid);
	expect_unseen(size);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	seen_by_both();
	expect_converted(SIZE);
	child_converts();
	child_cuts();
	after_vfork();
	after_clone();
	return 0;
}
