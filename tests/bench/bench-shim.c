/* SPDX-License-Identifier: MIT */
/* Figures of the kernel module, as JSON, one object a line. Runs where the module is loaded. */
#include "bench-shim.h"

#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define PAGE ((size_t)4096)

double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

mshare_t shim_region(size_t size)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t region;

	attr.flags = MSHARE_NORESERVE | MSHARE_REQUIRE_SHARED_TABLES;
	attr.require = MSHARE_PAGES_BASE;
	check(setenv("MSHARE_BACKEND", "shim", 1) == 0);
	region = mshare_create(NULL, size, &attr);
	if (region)
		return region;
	fprintf(stderr, "bench-shim: %s\n", mshare_errmsg());
	exit(77);
}

void *shim_attach(mshare_t region, size_t size)
{
	void *at = mshare_attach(region, NULL, 0, size, PROT_READ | PROT_WRITE, 0);

	check(at != MAP_FAILED);
	return at;
}

void *plain_map(mshare_t region, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, mshare_fd(region), 0);

	check(at != MAP_FAILED);
	return at;
}

void touch_pages(void *at, size_t size, bool write)
{
	volatile char *bytes = at;

	for (size_t off = 0; off < size; off += PAGE) {
		if (write)
			bytes[off] = 1;
		else
			(void)bytes[off];
	}
}

/* A name for json-c's object that other files need not know about. */
struct figure *figure_begin(const char *name)
{
	struct json_object *line = json_object_new_object();

	json_object_object_add(line, "figure", json_object_new_string(name));
	return (struct figure *)line;
}

static void add(struct figure *f, const char *key, struct json_object *value)
{
	json_object_object_add((struct json_object *)f, key, value);
}

void figure_text(struct figure *f, const char *key, const char *value)
{
	add(f, key, json_object_new_string(value));
}

void figure_count(struct figure *f, const char *key, uint64_t value)
{
	add(f, key, json_object_new_uint64(value));
}

void figure_flag(struct figure *f, const char *key, bool value)
{
	add(f, key, json_object_new_boolean(value));
}

void figure_number(struct figure *f, const char *key, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.2f", value);
	add(f, key, json_object_new_double_s(value, text));
}

void figure_end(struct figure *f)
{
	struct json_object *line = (struct json_object *)f;

	puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));
	json_object_put(line);
}

static int usage(void)
{
	fprintf(stderr, "usage: bench-shim [attach | fork | punch | protect]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : "";
	bool all = argc == 1;

	if (argc > 2 || (!all && strcmp(only, "attach") && strcmp(only, "fork") &&
			 strcmp(only, "punch") && strcmp(only, "protect")))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (all || !strcmp(only, "attach")) {
		bench_attach(64 * MIB);
		bench_attach(GIB);
		bench_attach(8 * GIB);
	}
	if (all || !strcmp(only, "fork"))
		bench_fork(GIB, 301);
	if (all || !strcmp(only, "punch"))
		bench_punch(201);
	if (!strcmp(only, "protect")) /* wants 2 GiB of memory */
		bench_protect(GIB, 64, 9);
	return 0;
}
