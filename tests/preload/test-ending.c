/* SPDX-License-Identifier: MIT */
/*
 * When a converted mapping ends, the report says how much of it was in huge pages: as much as
 * /proc/self/smaps tells of a process that has touched all of it, also where the one that made the
 * mapping has touched nothing. Each case is a program of its own. No helper makes huge pages
 * meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject.h"

#define HUGE ((size_t)2 << 20)
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#define ANSWER 9 /* the descriptor on which a case says what it expects */

#define NO_LINE (-1LL)
#define UNKNOWN (-2LL)

static void expect_huge(long long bytes)
{
	expect(write(ANSWER, &bytes, sizeof(bytes)) == sizeof(bytes));
}

static char *map(size_t size, int flags)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS | flags, -1, 0);

	expect(p != MAP_FAILED);
	return p;
}

/* Mapped by huge pages of whatever lies over the range. */
static size_t pmd_mapped(const char *p, size_t len)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uintptr_t start = (uintptr_t)p;
	bool inside = false;
	size_t total = 0;
	char line[512];

	expect(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long from, to, kib;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from < start + len && to > start;
		else if (inside && sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1)
			total += kib << 10;
	}
	fclose(smaps);
	return total;
}

/* Of a mapping all of which has been touched by this process. */
static long long truth(const char *p, size_t size)
{
	if (backend_is("plain"))
		return NO_LINE;
	return backend_is("hugetlb") ? (long long)size : (long long)pmd_mapped(p, size);
}

/* Makes some of it huge, where that is how huge pages come. */
static void fill_and_collapse(char *p, size_t size, size_t pieces)
{
	fill(p, size, 1);
	if (backend_is("thp"))
		expect(madvise(p, pieces * HUGE, MADV_COLLAPSE) == 0);
	expect_filled(p, size, 1);
	if (backend_is("thp"))
		expect(pmd_mapped(p, size) >= pieces * HUGE);
}

/* Lines of this program's report about the end of a mapping of that size, so far. */
static size_t ends(size_t size)
{
	char part[64];

	snprintf(part, sizeof(part), "\"size\": %zu,", size);
	return report_lines(part, "\"event\": \"ended\"");
}

static void untouched(size_t size)
{
	map(size, 0);
	expect_huge(backend_is("plain") ? NO_LINE : backend_is("hugetlb") ? (long long)size : 0);
}

static void filled(size_t size)
{
	char *p = map(size, 0);

	fill(p, size, 1);
	expect_huge(truth(p, size));
}

static void locked(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS | MAP_LOCKED, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "nothing may be locked here: %m\n");
		expect_huge(NO_LINE);
		return;
	}
	fill(p, size, 1);
	expect_huge(backend_is("shim") ? NO_LINE : truth(p, size));
}

static void populated(size_t size)
{
	char *p = map(size, 0);
	long long huge;

	fill(p, size, 1);
	huge = truth(p, size);
	if (backend_is("thp"))
		expect(huge == (long long)(size / HUGE * HUGE));
	expect_huge(huge);
}

/* To look through another mapping takes addresses. */
static void few_addresses(size_t size)
{
	const struct rlimit few = { (rlim_t)64 << 20, (rlim_t)64 << 20 };

	map(size, 0);
	expect(setrlimit(RLIMIT_AS, &few) == 0);
	expect_huge(backend_is("plain")	    ? NO_LINE
		    : backend_is("hugetlb") ? (long long)size
					    : UNKNOWN);
}

/* A file that this process may only read; the one by which it was made is closed. */
static void read_only(size_t size)
{
	char path[64];
	int writer = memfd_create("test", 0);
	int reader;

	if (!backend_is("thp")) {
		expect_huge(NO_LINE);
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", writer);
	reader = open(path, O_RDONLY);
	expect(reader >= 0 && ftruncate(writer, (off_t)size) == 0 && close(writer) == 0);
	expect(mmap(NULL, size, PROT_READ, MAP_SHARED, reader, 0) != MAP_FAILED);
	expect_huge(UNKNOWN);
}

struct filler {
	char *p;
	size_t size;
};

static void fill_for_parent(void *arg)
{
	const struct filler *f = arg;

	fill_and_collapse(f->p, f->size, 3);
	expect_huge(truth(f->p, f->size));
}

/* As a database server's: the first process makes it, others use it. */
static void filled_by_child(size_t size)
{
	struct filler f = { map(size, 0), size };

	in_child(fill_for_parent, &f);
	if (backend_is("thp"))
		expect(pmd_mapped(f.p, size) == 0);
}

static void exit_at_once(void *arg)
{
	(void)arg;
	exit(0);
}

/* The mapping goes on when a child exits. */
static void kept_by_parent(size_t size)
{
	char *p = map(size, 0);

	in_child(exit_at_once, NULL);
	expect(ends(size) == 0);
	fill_and_collapse(p, size, 1);
	expect_huge(truth(p, size));
}

/* Said at once, and once. */
static void unmapped(size_t size)
{
	char *p = map(size, 0);

	fill_and_collapse(p, size, 2);
	expect_huge(truth(p, size));
	expect(munmap(p, size) == 0);
	expect(ends(size) == !backend_is("plain"));
}

/* The module's mappings become ordinary ones first, and the report has said so. */
static bool is_forgotten(void)
{
	return backend_is("shim") || backend_is("plain");
}

static void replaced(size_t size)
{
	char *p = map(size, 0);

	fill_and_collapse(p, size, 2);
	expect_huge(is_forgotten() ? NO_LINE : truth(p, size));
	expect(mmap(p, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	expect(ends(size) == !is_forgotten());
}

/* The kernel refuses such an address. That what is refused makes base pages of others is said. */
static void not_unmapped(size_t size)
{
	char *p = map(size, 0);

	fill_and_collapse(p, size, 2);
	expect(munmap(p - 100, size + 100) == -1);
	expect(ends(size) == 0);
	expect_huge(is_forgotten() || backend_is("hugetlb") ? NO_LINE : truth(p, size));
}

static void moved(size_t size)
{
	char *p = map(size, 0);
	char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));

	expect(room != MAP_FAILED);
	fill_and_collapse(p, size, 2);
	expect(munmap(room, size + 2 * HUGE) ==
	       0); /* nothing that whole huge pages would replace */
	expect(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	expect_filled(to, size, 1);
	expect(ends(size) == 0);
	expect_huge(is_forgotten() ? NO_LINE : truth(to, size));
}

static void cut(size_t size)
{
	char *p = map(size, 0);

	fill_and_collapse(p, size, 2);
	expect(munmap(p, 2 * HUGE) == 0);
	expect_huge(is_forgotten() ? NO_LINE : UNKNOWN);
}

static void segment(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
	char *p = id < 0 ? NULL : shmat(id, NULL, 0);

	expect(p && p != (char *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
	fill_and_collapse(p, size, 2);
	expect_huge(truth(p, size));
	expect(shmdt(p) == 0);
	expect(ends(size) == !backend_is("plain"));
}

static const struct ending {
	const char *name;
	void (*body)(size_t size);
	bool populate;
} endings[] = {
	{ "untouched", untouched, false },
	{ "filled", filled, false },
	{ "locked", locked, false },
	{ "populated", populated, true },
	{ "few-addresses", few_addresses, false },
	{ "read-only", read_only, false },
	{ "filled-by-child", filled_by_child, false },
	{ "kept-by-parent", kept_by_parent, false },
	{ "unmapped", unmapped, false },
	{ "not-unmapped", not_unmapped, false },
	{ "replaced", replaced, false },
	{ "moved", moved, false },
	{ "cut", cut, false },
	{ "segment", segment, false },
};

#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

/* By which the report tells them apart. */
static size_t size_of(size_t number)
{
	return SIZE + number * 4096;
}

static long long run(size_t number)
{
	long long answer = NO_LINE;
	int ends_of_pipe[2];

	expect(setenv("MSHARE_RUN_POPULATE", endings[number].populate ? "1" : "0", 1) == 0);
	expect(pipe(ends_of_pipe) == 0 && dup2(ends_of_pipe[1], ANSWER) == ANSWER);
	close(ends_of_pipe[1]);
	in_new_program(endings[number].name);
	close(ANSWER);
	expect(read(ends_of_pipe[0], &answer, sizeof(answer)) == sizeof(answer));
	close(ends_of_pipe[0]);
	return answer;
}

static void check(size_t number)
{
	long long answer = run(number);
	char size[64];
	char huge[64];

	snprintf(size, sizeof(size), "\"size\": %zu,", size_of(number));
	if (answer == UNKNOWN)
		snprintf(huge, sizeof(huge), "\"huge_bytes\": null,");
	else
		snprintf(huge, sizeof(huge), "\"huge_bytes\": %lld,", answer);
	fprintf(stderr, "%s: expects %lld of %zu bytes\n", endings[number].name, answer,
		size_of(number));
	if (ends(size_of(number)) != (answer != NO_LINE) ||
	    report_lines(size, huge) != (answer != NO_LINE))
		show_report();
	expect(ends(size_of(number)) == (answer != NO_LINE));
	expect(report_lines(size, huge) == (answer != NO_LINE));
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	for (size_t i = 0; i < ENDINGS; i++) {
		if (!is_mode(argc, argv, endings[i].name))
			continue;
		endings[i].body(size_of(i));
		return 0;
	}
	if (backend_is("thp"))
		expect(setenv("MSHARE_HOST", "/nonexistent/mshare-host", 1) == 0);
	for (size_t i = 0; i < ENDINGS; i++)
		check(i);
	return 0;
}
