/* SPDX-License-Identifier: MIT */
/* The result of a benchmark, for people and for programs. */
#include <json-c/json.h>
#include <stdio.h>

#include "bench.h"

/* Digits for a double in JSON: more would be noise of the clock. */
#define JSON_DIGITS "%.3f"

static struct json_object *json_double(double value)
{
	char text[32];

	snprintf(text, sizeof(text), JSON_DIGITS, value);
	return json_object_new_double_s(value, text);
}

static struct json_object *json_result(const struct bench_options *o, const struct bench_result *r)
{
	struct json_object *j = json_object_new_object();

	json_object_object_add(j, "backend", json_object_new_string(r->name));
	if (r->ran)
		json_object_object_add(j, "page_size", json_object_new_uint64(r->page_size));
	json_object_object_add(j, "procs", json_object_new_uint64(o->procs));
	json_object_object_add(j, "parallel", json_object_new_uint64(o->parallel));
	json_object_object_add(j, "size", json_object_new_uint64(o->size));
	if (!r->ran) {
		json_object_object_add(j, "unavailable", json_object_new_string(r->unavailable));
		return j;
	}
	json_object_object_add(j, "table_bytes_per_proc", json_object_new_uint64(r->table_bytes));
	json_object_object_add(j, "minor_faults_per_proc", json_object_new_uint64(r->minor_faults));
	json_object_object_add(j, "attach_us", json_double(r->attach_us));
	json_object_object_add(j, "first_scan_ms", json_double(r->first_scan_ms));
	json_object_object_add(j, "second_scan_ms", json_double(r->second_scan_ms));
	return j;
}

void bench_print_json(const struct bench_report *report)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < report->count; i++)
		json_object_array_add(array, json_result(report->options, &report->results[i]));
	tool_print_json(array);
}

#define RATIO_TEXT 24
#define NEARLY_SAME 0.05

/* "405x fewer", "1.2x more", "the same", from a figure and that of mmap. */
static void ratio_text(double base, double value, const char *less, const char *more, char *out)
{
	double ratio = value > 0 ? base / value : 0;

	if (base <= 0 || value <= 0)
		snprintf(out, RATIO_TEXT, "%s", value <= 0 && base > 0 ? "none" : "");
	else if (ratio > 1 - NEARLY_SAME && ratio < 1 + NEARLY_SAME)
		snprintf(out, RATIO_TEXT, "the same");
	else if (ratio > 1)
		snprintf(out, RATIO_TEXT, "%.*fx %s", ratio < 10 ? 1 : 0, ratio, less);
	else
		snprintf(out, RATIO_TEXT, "%.*fx %s", ratio > 0.1 ? 1 : 0, 1 / ratio, more);
}

/* Green from twice as good on, red from half as good on. */
static void print_ratio(double base, double value, const char *less, const char *more, int width)
{
	char text[RATIO_TEXT] = "";
	bool good = base > 2 * value;
	bool bad = value > 2 * base;

	ratio_text(base, value, less, more, text);
	printf(" %s%*s%s",
	       good  ? term_on(TERM_GOOD)
	       : bad ? term_on(TERM_BAD)
		     : "",
	       -width, text, good || bad ? term_off() : "");
}

static void print_result(const struct bench_result *r, const struct bench_result *mmap)
{
	char tables[TERM_SIZE_TEXT];
	char page[TERM_SIZE_TEXT];

	printf("%-8s", r->name);
	if (!r->ran) {
		printf(" %sunavailable: %s%s\n", term_on(TERM_DIM), r->unavailable, term_off());
		return;
	}
	printf(" %7s", term_size(r->page_size, page));
	if (r == mmap) {
		printf(" %10s %-12s %9llu %-12s %11.3f ms %-12s %8.3f ms %7.1f us\n",
		       term_size(r->table_bytes, tables), "", (unsigned long long)r->minor_faults,
		       "", r->first_scan_ms, "", r->second_scan_ms, r->attach_us);
		return;
	}
	printf(" %10s", term_size(r->table_bytes, tables));
	print_ratio((double)mmap->table_bytes, (double)r->table_bytes, "fewer", "more", 12);
	printf(" %9llu", (unsigned long long)r->minor_faults);
	print_ratio((double)mmap->minor_faults, (double)r->minor_faults, "fewer", "more", 12);
	printf(" %11.3f ms", r->first_scan_ms);
	print_ratio(mmap->first_scan_ms, r->first_scan_ms, "faster", "slower", 12);
	printf(" %8.3f ms %7.1f us\n", r->second_scan_ms, r->attach_us);
}

void bench_print_text(const struct bench_report *report)
{
	const struct bench_options *o = report->options;
	char size[TERM_SIZE_TEXT];

	printf("%llu processes x %s, %llu at a time: what each pays to attach it%s and read every "
	       "page once (medians)\n\n",
	       (unsigned long long)o->procs, term_size(o->size, size),
	       (unsigned long long)o->parallel, o->populate ? ", populated," : "");
	printf("%s%-8s %7s %10s %-12s %9s %-12s %14s %-12s %11s %10s%s\n", term_on(TERM_BOLD),
	       "backend", "page", "tables", "", "faults", "", "first scan", "", "second", "attach",
	       term_off());
	for (size_t i = 0; i < report->count; i++)
		print_result(&report->results[i], &report->results[BENCH_MMAP]);
	puts("\nEach ratio compares with mmap: plain mmap(MAP_SHARED), without the library. The\n"
	     "second scan is of mapped memory: what the first one costs beyond it is page tables.");
}
