/* SPDX-License-Identifier: MIT */
/*
 * What a process of the bench does. Each is a fork of a parent that has nothing attached. Before it
 * measures it maps all code it is going to run, its stack and its heap, so that what VmPTE gains
 * between the two readings is what the region costs.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "align.h"
#include "parse.h"

#define STACK_ROOM ((size_t)(256 * KIB))
#define HEAP_ROOM ((size_t)(96 * KIB)) /* below what malloc(3) would give back at once */

/* Writes a word to each page. The barrier keeps the compiler from removing the stores. */
static void touch(char *from, size_t size)
{
	for (size_t i = 0; i < size; i += page_sizes()->base)
		from[i] = 1;
	__asm__ volatile("" : : "r"(from) : "memory");
}

static __attribute__((noinline)) void touch_stack(void)
{
	char room[STACK_ROOM];

	touch(room, sizeof(room));
}

static void touch_heap(void)
{
	char *room = malloc(HEAP_ROOM);

	if (room)
		touch(room, HEAP_ROOM);
	free(room);
}

/* Best effort: what stays unmapped shows as a page more or less in the result. */
static int map_segments(struct dl_phdr_info *object, size_t size, void *unused)
{
	uint64_t page = page_sizes()->base;

	(void)size;
	(void)unused;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t from = align_down(start, page);

		if (segment->p_type == PT_LOAD)
			sys_madvise((void *)from, start + segment->p_memsz - from,
				    MADV_POPULATE_READ);
	}
	return 0;
}

/* Of this process, in bytes; UINT64_MAX if it cannot be read. */
static uint64_t table_bytes(int status_fd)
{
	static char text[4096];
	ssize_t got = sys_pread(status_fd, text, sizeof(text) - 1, 0);
	uint64_t bytes;

	text[got > 0 ? got : 0] = '\0';
	return parse_proc_kib(text, "VmPTE", &bytes) ? UINT64_MAX : bytes;
}

static uint64_t minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_minflt;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Reads one word of each base page; the sum proves that it was the memory that was filled. */
static uint64_t scan(const void *addr, uint64_t size, uint64_t page)
{
	const volatile uint64_t *words = addr;
	uint64_t sum = 0;

	for (uint64_t off = 0; off < size; off += page)
		sum += words[bench_place(off, page) / sizeof(*words)];
	return sum;
}

static uint64_t expected_sum(uint64_t size, uint64_t page)
{
	uint64_t sum = 0;

	for (uint64_t off = 0; off < size; off += page)
		sum += bench_word(off);
	return sum;
}

static int give_up(struct bench_sample *s, int err, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return err;
}

int bench_prepare(const struct bench_memory *m, struct bench_ready *ready, struct bench_sample *s)
{
	ready->status_fd = sys_open("/proc/self/status", O_RDONLY, 0);
	if (ready->status_fd < 0)
		return give_up(s, ready->status_fd, "/proc/self/status cannot be opened");
	ready->expected = expected_sum(m->size, page_sizes()->base);
	dl_iterate_phdr(map_segments, NULL);
	touch_stack();
	touch_heap();
	table_bytes(ready->status_fd);
	minor_faults();
	seconds();
	return 0;
}

/* Nothing between the readings but attach and scan. */
int bench_measure_here(const struct bench_memory *m, const struct bench_ready *ready,
		       struct bench_sample *s)
{
	uint64_t page = page_sizes()->base;
	uint64_t tables = table_bytes(ready->status_fd);
	uint64_t faults = minor_faults();
	double start = seconds();
	double attached;
	double scanned;
	double scanned_again;
	uint64_t sum;
	uint64_t sum_again;
	void *addr;
	int err = bench_attach(m, &addr, s->why, sizeof(s->why));

	if (err)
		return err;
	attached = seconds();
	sum = scan(addr, m->size, page);
	scanned = seconds();
	s->minor_faults = minor_faults() - faults;
	s->table_bytes = table_bytes(ready->status_fd);
	scanned_again = seconds();
	sum_again = scan(addr, m->size, page);
	scanned_again = seconds() - scanned_again;
	if (tables == UINT64_MAX || s->table_bytes == UINT64_MAX)
		return give_up(s, -ENODATA, "/proc/self/status has no VmPTE");
	s->table_bytes -= tables < s->table_bytes ? tables : s->table_bytes;
	s->attach_us = (attached - start) * 1e6;
	s->scan_ms = (scanned - attached) * 1e3;
	s->rescan_ms = scanned_again * 1e3;
	return sum == ready->expected && sum_again == ready->expected
		       ? 0
		       : give_up(s, -EIO, "the bytes read are not those written");
}

int bench_fill_here(const struct bench_memory *m, const struct bench_ready *ready,
		    struct bench_sample *s)
{
	(void)ready;
	return bench_fill(m, &s->huge_bytes, s->why, sizeof(s->why));
}
