/* SPDX-License-Identifier: MIT */
/*
 * The kernel shares tables of reserved huge pages for whole, aligned ranges of 1 GiB. The report
 * says so of the mappings that have one, and --require-shared-tables (here with
 * MSHARE_TEST_REQUIRE) refuses the others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/shm.h>
#include <unistd.h>

#include "subject.h"

#define HUGE ((size_t)2 << 20)
#define GIB ((size_t)1 << 30)

static bool required;

/* Of a file that has more than the mapping. Its pages are given back with it. */
static void *map(void *addr, size_t len, int flags)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	void *p;

	expect(fd >= 0 && ftruncate(fd, (off_t)(2 * GIB)) == 0);
	errno = 0;
	p = mmap(addr, len, READ_WRITE, MAP_SHARED | flags, fd, 0);
	if (p == MAP_FAILED && errno == ENOMEM)
		skip_all("needs 1 GiB of huge pages");
	close(fd);
	return p;
}

static void expect_line(size_t len, const char *said)
{
	char part[64];

	snprintf(part, sizeof(part), "\"size\": %zu,", len);
	if (!report_lines(part, said))
		show_report();
	expect(report_lines(part, said));
}

/* Refused, or converted to what the report calls unshared. */
static void expect_unshared(void *p, size_t len)
{
	expect((p == MAP_FAILED) == required);
	expect(!required || errno == EOPNOTSUPP);
	expect_line(len, required ? "whole, aligned ranges" : "\"shared_tables\": false");
	expect(required || munmap(p, len) == 0);
}

static void part_of_a_big_file(void)
{
	expect_unshared(map(NULL, 64 << 20, 0), 64 << 20);
}

/* What was there stays when the call is refused. */
static void between_boundaries(char *room)
{
	char *there = room + HUGE;
	void *p;

	expect(mprotect(there, HUGE, READ_WRITE) == 0);
	there[5] = 5;
	p = map(there, GIB, MAP_FIXED);
	expect(!required || there[5] == 5);
	expect_unshared(p, GIB);
}

static void on_a_boundary(char *room)
{
	size_t len = GIB + HUGE;

	expect(map(room, len, MAP_FIXED) == room);
	expect_line(len, "\"shared_tables\": true");
	expect(munmap(room, len) == 0);
}

static void anywhere(void)
{
	size_t len = GIB + 2 * HUGE;
	void *p = map(NULL, len, 0);

	expect(p != MAP_FAILED);
	expect_line(len, "\"shared_tables\": true");
	expect(munmap(p, len) == 0);
}

static void segment(char *room)
{
	size_t len = GIB + 3 * HUGE;
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | SHM_HUGETLB | 0600);
	void *p;

	expect(id >= 0 && munmap(room, 3 * GIB) == 0);
	p = shmat(id, room, 0);
	expect(p == room);
	expect_line(len, "\"shared_tables\": true");
	expect(shmdt(p) == 0);
	errno = 0;
	p = shmat(id, room + GIB - 4 * HUGE, 0);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
	expect((p == (void *)-1) == required);
	expect(!required || errno == EOPNOTSUPP);
	expect_line(len, required ? "not shared" : "\"shared_tables\": false");
}

int main(int argc, char **argv)
{
	const char *option = getenv("MSHARE_TEST_REQUIRE") ? "--require-shared-tables" : NULL;
	char *room;

	required = option;
	subject_start(argc, argv, (const char *const[]){ option, NULL });
	room = mmap(NULL, 4 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(room != MAP_FAILED);
	room += -(uintptr_t)room % GIB;
	part_of_a_big_file();
	between_boundaries(room);
	on_a_boundary(room);
	anywhere();
	segment(room);
	return 0;
}
