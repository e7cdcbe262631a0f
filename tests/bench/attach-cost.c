/* SPDX-License-Identifier: MIT */
/*
 * What one mshare_attach() and mshare_detach() cost beside mmap(2) and munmap(2) of the same file,
 * measured in turn in one run. Prints, never judges: times belong to the machine.
 *
 * --calls N does nothing but N such pairs, for a tracer to count system calls (attach-syscalls.py).
 */
#include <getopt.h>
#include <json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mshare.h"

enum { ROUNDS = 201, PAIRS = 50, WARM_UP = 200 };

static const char *const backends[] = { "shim", "hugetlb", "thp", "plain" };
static const size_t sizes[] = { (size_t)64 << 20, (size_t)4 << 30 };

struct options {
	const char *backend; /* NULL: each */
	size_t size; /* 0: each */
	unsigned long calls; /* 0: measure */
	bool json;
};

struct result {
	const char *backend;
	size_t size;
	double library_ns; /* one attach and detach, median of the rounds */
	double mmap_ns; /* one mmap and munmap, likewise */
	char unavailable[256]; /* why there are no figures; else empty */
};

static mshare_t make_region(const char *backend, size_t size)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	attr.flags = MSHARE_NORESERVE;
	setenv("MSHARE_BACKEND", backend, 1);
	return mshare_create(NULL, size, &attr);
}

static void library_pair(mshare_t region, size_t size)
{
	void *addr = mshare_attach(region, NULL, 0, size, PROT_READ | PROT_WRITE, 0);

	if (addr == MAP_FAILED || mshare_detach(region, addr, size) != 0) {
		fprintf(stderr, "attach-cost: %s\n", mshare_errmsg());
		exit(1);
	}
}

static void mmap_pair(int fd, size_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (addr == MAP_FAILED || munmap(addr, size) != 0) {
		perror("attach-cost: mmap");
		exit(1);
	}
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_library(mshare_t region, size_t size)
{
	double start = now_ns();

	for (int i = 0; i < PAIRS; i++)
		library_pair(region, size);
	return (now_ns() - start) / PAIRS;
}

static double time_mmap(int fd, size_t size)
{
	double start = now_ns();

	for (int i = 0; i < PAIRS; i++)
		mmap_pair(fd, size);
	return (now_ns() - start) / PAIRS;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

/* The two take turns, so that both see the same neighbours and the same clock speed. */
static void measure(mshare_t region, struct result *result)
{
	double library[ROUNDS];
	double raw[ROUNDS];
	int fd = mshare_fd(region);

	for (int i = 0; i < WARM_UP; i++) {
		library_pair(region, result->size);
		mmap_pair(fd, result->size);
	}
	for (int i = 0; i < ROUNDS; i++) {
		library[i] = time_library(region, result->size);
		raw[i] = time_mmap(fd, result->size);
	}
	result->library_ns = median(library, ROUNDS);
	result->mmap_ns = median(raw, ROUNDS);
}

static void measure_here(struct result *result)
{
	mshare_t region = make_region(result->backend, result->size);

	if (!region) {
		snprintf(result->unavailable, sizeof(result->unavailable), "%s", mshare_errmsg());
		return;
	}
	measure(region, result);
	mshare_close(region);
}

/* Each case starts from an address space that no other has used; the result is shared memory. */
static int measure_in_child(struct result *result)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		measure_here(result);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		perror("attach-cost: fork");
		return 1;
	}
	return status != 0;
}

static void print_text(const struct result *result)
{
	printf("%-8s %5zu MiB  ", result->backend, result->size >> 20);
	if (result->unavailable[0])
		printf("unavailable: %s\n", result->unavailable);
	else
		printf("%10.0f ns %10.0f ns  %6.2f\n", result->library_ns, result->mmap_ns,
		       result->library_ns / result->mmap_ns);
}

static void add_number(struct json_object *line, const char *key, double value, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", digits, value);
	json_object_object_add(line, key, json_object_new_double_s(value, text));
}

static void print_json(const struct result *result)
{
	struct json_object *line = json_object_new_object();

	json_object_object_add(line, "backend", json_object_new_string(result->backend));
	json_object_object_add(line, "size", json_object_new_uint64(result->size));
	if (result->unavailable[0]) {
		json_object_object_add(line, "unavailable",
				       json_object_new_string(result->unavailable));
	} else {
		add_number(line, "attach_detach_ns", result->library_ns, 0);
		add_number(line, "mmap_munmap_ns", result->mmap_ns, 0);
		add_number(line, "ratio", result->library_ns / result->mmap_ns, 3);
	}
	puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(line);
}

static bool wanted(const struct options *options, const char *backend, size_t size)
{
	return (!options->backend || strcmp(options->backend, backend) == 0) &&
	       (!options->size || options->size == size);
}

static int measure_one(const struct options *options, const char *backend, size_t size)
{
	struct result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int failed;

	if (result == MAP_FAILED) {
		perror("attach-cost: mmap");
		return 1;
	}
	*result = (struct result){ .backend = backend, .size = size };
	failed = measure_in_child(result);
	if (!failed && options->json)
		print_json(result);
	else if (!failed)
		print_text(result);
	munmap(result, sizeof(*result));
	return failed;
}

static int measure_each(const struct options *options)
{
	int failed = 0;

	if (!options->json)
		printf("%-8s %9s  %13s %13s  %6s   (median of %d rounds of %d pairs)\n", "backend",
		       "size", "attach+detach", "mmap+munmap", "ratio", ROUNDS, PAIRS);
	for (size_t b = 0; b < sizeof(backends) / sizeof(backends[0]); b++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			if (wanted(options, backends[b], sizes[s]))
				failed |= measure_one(options, backends[b], sizes[s]);
	return failed;
}

/* Exit status 77: the backend is not available here. */
static int only_call(const struct options *options)
{
	mshare_t region = make_region(options->backend, options->size);

	if (!region) {
		printf("%s\n", mshare_errmsg());
		return 77;
	}
	for (unsigned long i = 0; i < options->calls; i++)
		library_pair(region, options->size);
	mshare_close(region);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: attach-cost [--json] [--backend NAME] [--size MIB]\n"
			"       attach-cost --calls N --backend NAME --size MIB\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option known[] = { { "json", no_argument, NULL, 'j' },
					       { "backend", required_argument, NULL, 'b' },
					       { "size", required_argument, NULL, 's' },
					       { "calls", required_argument, NULL, 'c' },
					       { NULL, 0, NULL, 0 } };
	struct options options = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'j')
			options.json = true;
		else if (option == 'b')
			options.backend = optarg;
		else if (option == 's')
			options.size = strtoull(optarg, NULL, 10) << 20;
		else if (option == 'c')
			options.calls = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (optind != argc || (options.calls && (!options.backend || !options.size)))
		return usage();
	return options.calls ? only_call(&options) : measure_each(&options);
}
