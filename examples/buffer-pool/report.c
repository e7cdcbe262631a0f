/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 26
#define COLUMN_WIDTH 18
#define NUMBER_TEXT 32

/* 1234567 as "1,234,567". Returns text, which holds NUMBER_TEXT bytes. */
static const char *with_commas(uint64_t number, char *text)
{
	char digits[NUMBER_TEXT];
	int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	char *out = text;

	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

static const char *backend_name(uint32_t backend)
{
	static const char *const names[] = { "none", "plain", "thp", "hugetlb", "shim" };

	return backend < sizeof(names) / sizeof(names[0]) ? names[backend] : "unknown";
}

void report_plan(const struct options *options, uint64_t frames, uint64_t data_pages)
{
	char a[NUMBER_TEXT], b[NUMBER_TEXT];

	printf("buffer pool of %zu MiB: %s frames of 8 KiB; data file: %s pages\n",
	       options->size >> 20, with_commas(frames, a), with_commas(data_pages, b));
	printf("%u worker processes read random rows", options->workers);
	if (options->seconds > 0)
		printf(" for %g s", options->seconds);
	else
		printf(", %s each", with_commas(options->requests, a));
	printf(" and check every one\n\n");
	fflush(stdout);
}

static void print_label(const char *label)
{
	printf("%-*s", LABEL_WIDTH, label);
}

static void print_text(const char *text)
{
	printf("%*s", COLUMN_WIDTH, text);
}

static void print_number(double value, const char *unit)
{
	char digits[NUMBER_TEXT], text[2 * NUMBER_TEXT];

	snprintf(text, sizeof(text), "%s%s", with_commas((uint64_t)(value + 0.5), digits), unit);
	print_text(text);
}

/* One line: a figure of every run, and the factor from the first to the last. */
static void print_figures(const char *label, const struct run *runs, unsigned int count,
			  double (*figure)(const struct run *), const char *unit,
			  bool less_is_better)
{
	double first = figure(&runs[0]), last = figure(&runs[count - 1]);
	double factor = less_is_better ? first / last : last / first;

	print_label(label);
	for (unsigned int i = 0; i < count; i++)
		print_number(figure(&runs[i]), unit);
	if (count > 1 && first > 0 && last > 0)
		printf("   %.*fx %s", factor < 10 ? 1 : 0, factor,
		       less_is_better ? "less" : "as many");
	else if (count > 1 && less_is_better && first > 0)
		printf("   none of its own");
	putchar('\n');
}

static double page_kib(const struct run *run)
{
	return (double)run->region.page_size / 1024;
}

static double ready_ms(const struct run *run)
{
	return run->ready_ms;
}

static double table_kb(const struct run *run)
{
	return run->crew.table_kb;
}

static double faults(const struct run *run)
{
	return run->crew.faults;
}

static double requests_per_second(const struct run *run)
{
	return (double)run->crew.timely / run->crew.seconds;
}

static double requests_per_cpu_second(const struct run *run)
{
	return (double)run->crew.requests / run->crew.cpu_seconds;
}

static double hit_percent(const struct run *run)
{
	return 100.0 - 100.0 * (double)run->crew.misses / (double)run->crew.requests;
}

static double rows_checked(const struct run *run)
{
	return (double)run->crew.requests;
}

static double wrong(const struct run *run)
{
	return (double)(run->crew.wrong + run->pool.wrong);
}

static double killed(const struct run *run)
{
	return run->crew.killed;
}

static double repairs(const struct run *run)
{
	return (double)run->pool.repairs;
}

static void print_facts(const char *label, const struct run *runs, unsigned int count,
			double (*figure)(const struct run *), const char *unit)
{
	print_label(label);
	for (unsigned int i = 0; i < count; i++)
		print_number(figure(&runs[i]), unit);
	putchar('\n');
}

static void print_heads(const struct run *runs, unsigned int count)
{
	print_label("");
	for (unsigned int i = 0; i < count; i++)
		print_text(runs[i].title);
	putchar('\n');
	print_label("backend");
	for (unsigned int i = 0; i < count; i++)
		print_text(backend_name(runs[i].region.backend));
	putchar('\n');
}

void report_runs(const struct run *runs, unsigned int count)
{
	const struct run *last = &runs[count - 1];

	print_heads(runs, count);
	print_facts("one entry maps up to", runs, count, page_kib, " KiB");
	print_facts("pool ready after", runs, count, ready_ms, " ms");
	print_figures("page tables per worker", runs, count, table_kb, " kB", true);
	print_figures("page faults per worker", runs, count, faults, "", true);
	print_figures("requests per second", runs, count, requests_per_second, "", false);
	print_figures("  per second of CPU time", runs, count, requests_per_cpu_second, "", false);
	print_facts("found in the pool", runs, count, hit_percent, " %");
	print_facts("rows checked", runs, count, rows_checked, "");
	print_facts("rows or pages wrong", runs, count, wrong, "");
	print_facts("workers killed", runs, count, killed, "");
	print_facts("hash table repairs", runs, count, repairs, "");
	if (last->region.reason[0])
		printf("\nnot better, because: %s\n", last->region.reason);
}

bool report_verdict(const struct run *run, const struct options *options)
{
	bool good = true;

	if (run->crew.requests == 0 || run->crew.wrong || run->pool.wrong) {
		warnx("%s: %llu wrong rows, %llu wrong pages in %llu requests", run->title,
		      (unsigned long long)run->crew.wrong, (unsigned long long)run->pool.wrong,
		      (unsigned long long)run->crew.requests);
		good = false;
	}
	if (run->crew.failed) {
		warnx("%s: %u workers failed", run->title, run->crew.failed);
		good = false;
	}
	if (run->pool.pinned) {
		warnx("%s: %llu frames are still held", run->title,
		      (unsigned long long)run->pool.pinned);
		good = false;
	}
	/* In a run by the clock, a slow machine may not have come to it. */
	if (options->kills && options->seconds == 0 && !run->pool.repairs) {
		warnx("%s: too short for a worker to die in an eviction", run->title);
		good = false;
	}
	return good;
}
