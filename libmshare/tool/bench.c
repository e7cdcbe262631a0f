/* SPDX-License-Identifier: MIT */
/* mshare bench: options, the check whether it fits, and the loop over the subjects. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "align.h"
#include "parse.h"

#define DEFAULT_PROCS 8
#define DEFAULT_SIZE (256 * MIB)
#define MOST_PROCS 100000

/* What a waiting process costs beside the tables it is here for. */
#define PROCESS_BYTES (512 * KIB)

static int read_procs(const char *text, struct bench_options *o)
{
	if (parse_count(text, MOST_PROCS, &o->procs))
		return tool_misused(o->command, "--procs \"%s\" is not a number from 1 to %d", text,
				    MOST_PROCS);
	return 0;
}

static int read_parallel(const char *text, struct bench_options *o)
{
	if (parse_count(text, MOST_PROCS, &o->parallel))
		return tool_misused(o->command, "--parallel \"%s\" is not a number from 1 to %d",
				    text, MOST_PROCS);
	return 0;
}

static int read_size(const char *text, struct bench_options *o)
{
	int err = parse_size(text, &o->size);

	if (!err)
		err = align_up(o->size, page_sizes()->base, &o->size);
	if (err == -EOVERFLOW)
		return tool_misused(o->command, "--size \"%s\" is more than a file can have: %lld",
				    text, (long long)INT64_MAX);
	if (err)
		return tool_misused(o->command,
				    "--size \"%s\" is not a size above 0, such as 512M or 1GiB",
				    text);
	return 0;
}

static int want(const char *name, size_t length, struct bench_options *o)
{
	for (size_t i = 0; i < BENCH_SUBJECTS; i++) {
		if (length == strlen(bench_names[i]) && !strncmp(name, bench_names[i], length)) {
			o->wanted[i] = true;
			return 0;
		}
	}
	return tool_misused(o->command,
			    "--backend \"%.*s\" is none of plain, thp, hugetlb, shim, mmap",
			    (int)length, name);
}

/* mmap is the yardstick and always runs. */
static int read_backends(const char *text, struct bench_options *o)
{
	int status = 0;

	memset(o->wanted, 0, sizeof(o->wanted));
	o->wanted[BENCH_MMAP] = true;
	while (!status) {
		size_t length = strcspn(text, ",");

		status = want(text, length, o);
		if (!text[length])
			break;
		text += length + 1;
	}
	return status;
}

static int read_option(int answer, char **argv, struct bench_options *o)
{
	switch (answer) {
	case 'n':
		return read_procs(optarg, o);
	case 'a':
		return read_parallel(optarg, o);
	case 's':
		return read_size(optarg, o);
	case 'b':
		return read_backends(optarg, o);
	case 'p':
		o->plot = optarg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'P':
		o->populate = true;
		return 0;
	default:
		return tool_bad_option(o->command, answer, argv);
	}
}

/* -1 to go on, or the exit status to leave with. */
static int read_options(int argc, char **argv, struct bench_options *o)
{
	static const struct option options[] = {
		{ "procs", required_argument, NULL, 'n' },
		{ "parallel", required_argument, NULL, 'a' },
		{ "size", required_argument, NULL, 's' },
		{ "backend", required_argument, NULL, 'b' },
		{ "plot", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "populate", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int status = 0;
	int answer;

	while (!status && (answer = getopt_long(argc, argv, ":hn:s:b:p:", options, NULL)) != -1) {
		if (answer == 'h') {
			fputs(o->command->help, stdout);
			return 0;
		}
		status = read_option(answer, argv, o);
	}
	if (status)
		return status;
	if (optind == argc)
		return tool_misused(o->command, "which benchmark? usage: mshare bench tables");
	if (strcmp(argv[optind], "tables"))
		return tool_misused(o->command, "\"%s\" is not a benchmark, there is: tables",
				    argv[optind]);
	if (optind + 1 < argc)
		return tool_misused(o->command, "\"%s\" is one argument too many",
				    argv[optind + 1]);
	return -1;
}

/* The region once, and the tables of base pages in every process. */
static uint64_t bytes_needed(const struct bench_options *o)
{
	uint64_t tables = (o->size / page_sizes()->pmd + 2) * page_sizes()->base;
	uint64_t all;

	if (__builtin_mul_overflow(tables + PROCESS_BYTES, o->procs, &all) ||
	    __builtin_add_overflow(all, o->size, &all))
		return UINT64_MAX;
	return all;
}

static int check_memory(const struct bench_options *o)
{
	char text[8192];
	char need[TERM_SIZE_TEXT];
	char have[TERM_SIZE_TEXT];
	char tables[TERM_SIZE_TEXT];
	uint64_t available;

	if (sys_read_file("/proc/meminfo", text, sizeof(text)) < 0 ||
	    parse_proc_kib(text, "MemAvailable", &available))
		return tool_failed(o->command,
				   "/proc/meminfo does not tell how much memory is available");
	if (bytes_needed(o) <= available)
		return 0;
	return tool_failed(o->command,
			   "needs %s (%s of them for %llu processes), %s are available: use a "
			   "smaller --size or --procs",
			   term_size(bytes_needed(o), need),
			   term_size(bytes_needed(o) - o->size, tables),
			   (unsigned long long)o->procs, term_size(available, have));
}

/* Sorts the samples by one of their fields and takes the middle; of an even number both. */
#define DEFINE_MEDIAN(field, type)                                                                 \
	static int compare_##field(const void *a, const void *b)                                   \
	{                                                                                          \
		type x = ((const struct bench_sample *)a)->field;                                  \
		type y = ((const struct bench_sample *)b)->field;                                  \
                                                                                                   \
		return x < y ? -1 : x > y;                                                         \
	}                                                                                          \
                                                                                                   \
	static type median_##field(struct bench_sample *s, size_t count)                           \
	{                                                                                          \
		qsort(s, count, sizeof(*s), compare_##field);                                      \
		return (s[(count - 1) / 2].field + s[count / 2].field) / 2;                        \
	}

DEFINE_MEDIAN(table_bytes, uint64_t)
DEFINE_MEDIAN(minor_faults, uint64_t)
DEFINE_MEDIAN(attach_us, double)
DEFINE_MEDIAN(scan_ms, double)
DEFINE_MEDIAN(rescan_ms, double)

static void take_medians(struct bench_sample *s, size_t count, struct bench_result *r)
{
	r->table_bytes = median_table_bytes(s, count);
	r->minor_faults = median_minor_faults(s, count);
	r->attach_us = median_attach_us(s, count);
	r->first_scan_ms = median_scan_ms(s, count);
	r->second_scan_ms = median_rescan_ms(s, count);
	r->ran = true;
}

/* A region of huge pages that has none would be measured under a wrong name. */
static int check_huge(const struct bench_options *o, const struct bench_memory *m, uint64_t huge,
		      struct bench_result *r)
{
	char have[TERM_SIZE_TEXT];
	char all[TERM_SIZE_TEXT];
	uint64_t possible = align_down(m->size, m->page_size);

	term_size(huge, have);
	term_size(m->size, all);
	if (m->page_size == page_sizes()->base || huge >= possible)
		return 0;
	if (!huge) {
		snprintf(r->unavailable, sizeof(r->unavailable),
			 "none of %s became huge pages: is memory fragmented?", all);
		return -EOPNOTSUPP;
	}
	tool_warn(o->command, "%s: only %s of %s are in huge pages", r->name, have, all);
	return 0;
}

static int failed(const struct bench_options *o, const struct bench_result *r, const char *why)
{
	return tool_failed(o->command, "%s: %s", r->name, why);
}

/* samples has room for every process. Exit status. */
static int run_filled(const struct bench_options *o, const struct bench_memory *m,
		      struct bench_sample *samples, struct progress *progress,
		      struct bench_result *r)
{
	const struct bench_crew one = { .procs = 1, .parallel = 1 };
	const struct bench_crew all = { .procs = o->procs, .parallel = o->parallel };
	const struct bench_sample *last;
	struct bench_sample filler = { 0 };

	if (bench_run(bench_fill_here, m, &filler, &one, &last, progress))
		return failed(o, r, last->why);
	r->page_size = m->page_size;
	if (check_huge(o, m, filler.huge_bytes, r)) {
		progress_skip(progress, (unsigned int)o->procs);
		return 0;
	}
	if (bench_run(bench_measure_here, m, samples, &all, &last, progress))
		return failed(o, r, last->why);
	take_medians(samples, o->procs, r);
	return 0;
}

/* The library's sentences begin with the backend, which stands beside them already. */
static void strip_name(struct bench_result *r)
{
	size_t length = strlen(r->name);
	const char *text = r->unavailable;

	if (!strncmp(text, r->name, length) && !strncmp(text + length, ": ", 2))
		memmove(r->unavailable, text + length + 2, strlen(text + length + 2) + 1);
}

static int run_subject(const struct bench_options *o, size_t subject, struct bench_sample *samples,
		       struct progress *progress, struct bench_result *r)
{
	struct bench_memory m = { .subject = subject, .size = o->size, .populate = o->populate };
	int err;
	int status;

	*r = (struct bench_result){ .name = bench_names[subject] };
	err = bench_make(&m, r->unavailable, sizeof(r->unavailable));
	if (err == -EOPNOTSUPP) {
		strip_name(r);
		progress_skip(progress, (unsigned int)o->procs + 1);
		return 0;
	}
	if (err)
		return failed(o, r, r->unavailable);
	status = run_filled(o, &m, samples, progress, r);
	sys_close(m.fd);
	return status;
}

static int run_all(const struct bench_options *o, struct bench_report *report)
{
	struct bench_sample *samples = calloc(o->procs, sizeof(*samples));
	struct progress progress;
	unsigned int subjects = 0;
	int status = 0;

	if (!samples)
		return tool_failed(o->command, "no memory for %llu samples",
				   (unsigned long long)o->procs);
	for (size_t i = 0; i < BENCH_SUBJECTS; i++)
		subjects += o->wanted[i];
	progress_start(&progress, subjects * ((unsigned int)o->procs + 1));
	for (size_t i = 0; !status && i < BENCH_SUBJECTS; i++) {
		if (o->wanted[i])
			status = run_subject(o, i, samples, &progress,
					     &report->results[report->count++]);
	}
	progress_end(&progress);
	free(samples);
	return status;
}

static int plot_failed(const struct bench_options *o, int err)
{
	return tool_failed(o->command, "%s cannot be written: %s", o->plot, strerror(-err));
}

static int show(const struct bench_report *report, FILE *plot)
{
	int err;

	if (report->options->json)
		bench_print_json(report);
	else
		bench_print_text(report);
	err = plot ? bench_plot(report, plot) : 0;
	return err ? plot_failed(report->options, err) : 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct bench_options o = {
		.command = self,
		.procs = DEFAULT_PROCS,
		.parallel = bench_cpus(),
		.size = DEFAULT_SIZE,
		.wanted = { true, true, true, true, true },
	};
	struct bench_report report = { .options = &o };
	FILE *plot = NULL;
	int status = read_options(argc, argv, &o);
	int err;

	if (status >= 0)
		return status;
	if (o.parallel > o.procs)
		o.parallel = o.procs;
	status = check_memory(&o);
	if (status)
		return status;
	err = o.plot ? bench_plot_open(o.plot, &plot) : 0;
	if (err)
		return plot_failed(&o, err);
	status = run_all(&o, &report);
	return status ? status : show(&report, plot);
}

const struct command command_bench = {
	.name = "bench",
	.summary = "measure page tables, faults and the first scan, with and without the library",
	.help = "usage: mshare bench tables [OPTION]...\n"
		"\n"
		"For mmap(MAP_SHARED) without the library, then for each backend: one process fills\n"
		"a region, then N processes attach it and read 8 bytes of every base page, as many at\n"
		"the same time as there are processors. Each measures what that cost it; medians are\n"
		"shown. Needs no root.\n"
		"\n"
		"  --procs N       processes, default 8\n"
		"  --parallel N    that many at the same time; default one for each processor; 1: one\n"
		"                  after another\n"
		"  --size SIZE     of the region: 512M, 1GiB, ...; default 256M\n"
		"  --backend LIST  some of plain,thp,hugetlb,shim; default all; mmap always runs\n"
		"  --populate      attach with all pages mapped (MSHARE_POPULATE, MAP_POPULATE)\n"
		"  --json          an array with one object for each backend, nothing else, on stdout\n"
		"  --plot FILE     a bar chart as SVG\n"
		"\n"
		"The objects: backend, page_size, procs, parallel, size, table_bytes_per_proc,\n"
		"minor_faults_per_proc, attach_us, first_scan_ms, second_scan_ms; or backend,\n"
		"procs, parallel, size and unavailable, with the reason why this machine cannot do it.\n"
		"\n"
		"Example: what 64 processes pay for a buffer pool of 8 GiB, with a chart\n"
		"  mshare bench tables --procs 64 --size 8G --plot tables.svg\n",
	.run = run,
};
