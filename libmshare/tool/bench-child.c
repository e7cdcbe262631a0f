/* SPDX-License-Identifier: MIT */
/*
 * The measured processes. Each is a fork of a parent that has nothing attached. Before it measures
 * it maps all code it is going to run, its stack and its heap, so that what VmPTE gains between the
 * two readings is what the region costs.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
		sum += words[off / sizeof(*words)];
	return sum;
}

static uint64_t expected_sum(uint64_t size, uint64_t page)
{
	uint64_t sum = 0;

	for (uint64_t off = 0; off < size; off += page)
		sum += bench_word(off);
	return sum;
}

static void prepare(int status_fd)
{
	dl_iterate_phdr(map_segments, NULL);
	touch_stack();
	touch_heap();
	table_bytes(status_fd);
	minor_faults();
	seconds();
}

static int give_up(struct bench_sample *s, int err, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	return err;
}

/* Nothing between the readings but attach and scan. */
static int measure(const struct bench_memory *m, struct bench_sample *s, int status_fd)
{
	uint64_t page = page_sizes()->base;
	uint64_t expected = expected_sum(m->size, page);
	uint64_t tables = table_bytes(status_fd);
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
	s->table_bytes = table_bytes(status_fd);
	scanned_again = seconds();
	sum_again = scan(addr, m->size, page);
	scanned_again = seconds() - scanned_again;
	if (tables == UINT64_MAX || s->table_bytes == UINT64_MAX)
		return give_up(s, -ENODATA, "/proc/self/status has no VmPTE");
	s->table_bytes -= tables < s->table_bytes ? tables : s->table_bytes;
	s->attach_us = (attached - start) * 1e6;
	s->scan_ms = (scanned - attached) * 1e3;
	s->rescan_ms = scanned_again * 1e3;
	return sum == expected && sum_again == expected
		       ? 0
		       : give_up(s, -EIO, "the bytes read are not those written");
}

static int measure_here(const struct bench_memory *m, struct bench_sample *s)
{
	int status_fd = sys_open("/proc/self/status", O_RDONLY, 0);

	if (status_fd < 0)
		return give_up(s, status_fd, "/proc/self/status cannot be opened");
	prepare(status_fd);
	return measure(m, s, status_fd);
}

static int fill_here(const struct bench_memory *m, struct bench_sample *s)
{
	return bench_fill(m, &s->huge_bytes, s->why, sizeof(s->why));
}

/* A child, and the pipes between it and its parent: results up, and down one that only ever ends.
 */
struct link {
	pid_t parent;
	int result[2];
	int release[2];
};

typedef int (*child_work)(const struct bench_memory *m, struct bench_sample *s);

/*
 * Ends with the parent, whichever way that ends: by the signal, and by the release pipe, whose only
 * writing end is the parent's.
 */
static _Noreturn void child_main(child_work work, const struct bench_memory *m,
				 const struct link *pipes)
{
	struct bench_sample s = { 0 };
	char never;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != pipes->parent)
		_exit(1);
	sys_close(pipes->release[1]);
	sys_close(pipes->result[0]);
	s.err = work(m, &s);
	if (write(pipes->result[1], &s, sizeof(s)) == (ssize_t)sizeof(s))
		while (read(pipes->release[0], &never, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

/* A child that dies before it can tell closes the pipe: by a signal when memory ran out. */
static void receive(struct bench_sample *s, int fd)
{
	ssize_t got;

	do
		got = read(fd, s, sizeof(*s));
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(*s)) {
		*s = (struct bench_sample){ .err = -ECHILD };
		give_up(s, 0, "a measuring process died (out of memory?)");
	}
}

/* Starts a child, waits until it has done its work, and leaves it waiting. */
static int run_child(child_work work, const struct bench_memory *m, struct link *pipes,
		     struct bench_sample *s, pid_t *pid)
{
	if (pipe2(pipes->result, O_CLOEXEC))
		return give_up(s, s->err = -errno, "no descriptor is left for a pipe");
	pipes->parent = getpid();
	*pid = fork();
	if (*pid == 0)
		child_main(work, m, pipes);
	sys_close(pipes->result[1]);
	if (*pid < 0)
		give_up(s, s->err = -EAGAIN, "no more processes can be started (ulimit -u)");
	else
		receive(s, pipes->result[0]);
	sys_close(pipes->result[0]);
	return s->err;
}

static void end_children(struct link *pipes, const pid_t *pids, size_t count)
{
	sys_close(pipes->release[1]);
	sys_close(pipes->release[0]);
	for (size_t i = 0; i < count; i++) {
		while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
}

int bench_fill_apart(const struct bench_memory *m, struct bench_sample *s)
{
	struct link pipes;
	pid_t pid = -1;

	if (pipe2(pipes.release, O_CLOEXEC))
		return give_up(s, -errno, "no descriptor is left for a pipe");
	run_child(fill_here, m, &pipes, s, &pid);
	end_children(&pipes, &pid, 1);
	return s->err;
}

int bench_measure(const struct bench_memory *m, struct bench_sample *samples, size_t count,
		  size_t *measured, struct progress *progress)
{
	pid_t *pids = calloc(count, sizeof(*pids));
	struct link pipes;
	int err = 0;

	*measured = 0;
	if (!pids)
		return give_up(samples, -ENOMEM, "no memory for the list of processes");
	if (pipe2(pipes.release, O_CLOEXEC)) {
		free(pids);
		return give_up(samples, -errno, "no descriptor is left for a pipe");
	}
	for (size_t i = 0; !err && i < count; i++) {
		err = run_child(measure_here, m, &pipes, &samples[i], &pids[i]);
		*measured = i + 1;
		progress_step(progress, bench_names[m->subject]);
	}
	end_children(&pipes, pids, count);
	free(pids);
	return err;
}
