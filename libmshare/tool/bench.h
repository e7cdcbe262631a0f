/* SPDX-License-Identifier: MIT */
/*
 * mshare bench tables. bench.c reads options and runs the subjects in turn, bench-subject.c makes
 * and maps their memory, bench-child.c is what a process does that fills or measures, bench-group.c
 * runs those processes, bench-report.c and bench-plot.c show the result.
 */
#ifndef MSHARE_BENCH_H
#define MSHARE_BENCH_H

#include <stdio.h>

#include "term.h"
#include "tool.h"

/* One way to map shared memory. The first is mmap(2) without the library. */
#define BENCH_SUBJECTS 5
extern const char *const bench_names[BENCH_SUBJECTS];
#define BENCH_MMAP 0

struct bench_options {
	const struct command *command;
	uint64_t procs;
	uint64_t parallel; /* processes that measure at the same time: 1 to procs */
	uint64_t size; /* a multiple of the base page */
	bool wanted[BENCH_SUBJECTS];
	bool populate;
	bool json;
	const char *plot; /* file, or NULL */
};

/* Medians over the processes. */
struct bench_result {
	const char *name;
	bool ran;
	char unavailable[512]; /* why it did not, for a machine that cannot do it */
	uint64_t page_size;
	uint64_t table_bytes;
	uint64_t minor_faults;
	double attach_us;
	double first_scan_ms;
	double second_scan_ms; /* all mapped by then: what reading the memory takes by itself */
};

struct bench_report {
	const struct bench_options *options;
	struct bench_result results[BENCH_SUBJECTS]; /* in the order of the runs */
	size_t count;
};

/* --- bench-subject.c: used in the parent (make) and in measured processes (the rest) --- */

/* The memory of a subject; the descriptor is all that is left of it in the parent. */
struct bench_memory {
	size_t subject;
	uint64_t size;
	bool populate;
	int fd;
	uint64_t page_size; /* what one entry maps at best */
};

/* 0; -EOPNOTSUPP: not on this machine; or -errno. The sentence is in why. */
must_check int bench_make(struct bench_memory *m, char *why, size_t why_size);

/* Maps all of it. 0 or -errno with the sentence in why. */
must_check int bench_attach(const struct bench_memory *m, void **addr, char *why, size_t why_size);

/*
 * Writes to every base page, then makes huge pages where the subject has them; tells how many bytes
 * became huge.
 */
must_check int bench_fill(const struct bench_memory *m, uint64_t *huge, char *why, size_t why_size);

/*
 * Where the word of the base page at off is. In each page it is in the next cache line, as the rows
 * of a table are: at the same place of every page a million of them meet in the same few sets of
 * the processor's caches, and a scan measures that. Without divisions, which it would measure too.
 */
static inline uint64_t bench_place(uint64_t off, uint64_t page)
{
	unsigned int shift = (unsigned int)__builtin_ctzll(page);

	return off + ((off >> shift) * 64 & (page - 1));
}

/* The word that bench_fill() writes into the base page at this offset. */
static inline uint64_t bench_word(uint64_t off)
{
	return off * 0x9e3779b97f4a7c15ull + 1;
}

/* --- bench-child.c --- */

/* What one process found; goes through a pipe in one write. */
struct bench_sample {
	int err; /* -errno, with a sentence in why */
	char why[480];
	uint64_t table_bytes;
	uint64_t minor_faults;
	uint64_t huge_bytes; /* of the process that filled */
	double attach_us;
	double scan_ms;
	double rescan_ms;
};

/* What a process has at hand before it measures. */
struct bench_ready {
	int status_fd; /* of /proc/self/status */
	uint64_t expected; /* the sum of the words of all pages */
};

/* Everything that is not to be measured. 0 or -errno, told in s->why. */
must_check int bench_prepare(const struct bench_memory *m, struct bench_ready *ready,
			     struct bench_sample *s);

/* What a process may then do. 0 or -errno, told in s->why. */
typedef int bench_work(const struct bench_memory *m, const struct bench_ready *ready,
		       struct bench_sample *s);
bench_work bench_fill_here;
bench_work bench_measure_here;

/* --- bench-group.c --- */

/* Processors this process may run on, at least 1. */
uint64_t bench_cpus(void);

struct bench_crew {
	size_t procs;
	size_t parallel; /* how many of them work at the same time */
};

/*
 * Processes do the work, group after group, and tell what they found in `samples`, one each. All
 * stay until the last is done, and are gone when this returns. 0 or -errno, with the sentence in
 * *failed.
 */
must_check int bench_run(bench_work *work, const struct bench_memory *m,
			 struct bench_sample *samples, const struct bench_crew *of,
			 const struct bench_sample **failed, struct progress *progress);

/* --- bench-report.c, bench-plot.c --- */

void bench_print_text(const struct bench_report *report);
void bench_print_json(const struct bench_report *report);

/* Before the first measurement, so that no result is lost to a wrong path. 0 or -errno. */
must_check int bench_plot_open(const char *path, FILE **out);

/* Writes the chart and closes the file. 0 or -errno. */
must_check int bench_plot(const struct bench_report *report, FILE *out);

#endif
