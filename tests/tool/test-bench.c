/* SPDX-License-Identifier: MIT */
/*
 * bench tables on small input, checked by counting: the number of page tables that base pages need
 * follows from the size. Times are only checked to be there.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mshare.h"
#include "members.h"
#include "tool.h"

#define SIZE ((uint64_t)64 << 20)
#define SIZE_TEXT "64M"

/* An unaligned mapping needs one table more, and each level above at most one. */
#define MORE_TABLES 4

/* The shadow memory of a sanitizer has page tables of its own, which cannot be told apart. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool countable = false;
#else
static const bool countable = true;
#endif

static struct mshare_caps caps;

static int probe(void **state)
{
	(void)state;
	caps.size = sizeof(caps);
	return mshare_probe(&caps);
}

/* Shared memory that is huge by default has no base page tables to count. */
static bool shmem_is_always_huge(void)
{
	char text[128] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "re");

	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	return strstr(text, "[always]") || strstr(text, "[within_size]") || strstr(text, "[force]");
}

static void check_base_tables(struct json_object *o)
{
	uint64_t tables = SIZE / caps.pmd_size * caps.base_size;

	if (shmem_is_always_huge() || !countable)
		return;
	assert_int_equal(number_of(o, "page_size"), caps.base_size);
	assert_in_range(number_of(o, "table_bytes_per_proc"), tables,
			tables + MORE_TABLES * caps.base_size);
	/* at least one fault a table, at most one a page and a few for the code */
	assert_in_range(number_of(o, "minor_faults_per_proc"), SIZE / caps.pmd_size,
			SIZE / caps.base_size + 64);
}

static void check_common(struct json_object *o, uint64_t procs)
{
	assert_int_equal(number_of(o, "procs"), procs);
	assert_int_equal(number_of(o, "size"), SIZE);
	assert_true(double_of(o, "attach_us") > 0);
	assert_true(double_of(o, "first_scan_ms") > 0);
	assert_true(double_of(o, "second_scan_ms") > 0);
}

static uint64_t cpus(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return (uint64_t)CPU_COUNT(&set);
}

static void every_backend_is_in_the_array(void **state)
{
	static const char *const names[] = { "mmap", "plain", "thp", "hugetlb", "shim" };
	struct json_object *list = tool_json(0, "bench tables --json --procs 3 --size " SIZE_TEXT);

	(void)state;
	assert_int_equal(json_object_array_length(list), 5);
	for (size_t i = 0; i < 5; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		assert_string_equal(string_of(o, "backend"), names[i]);
		assert_int_equal(number_of(o, "parallel"), cpus() < 3 ? cpus() : 3);
		if (!json_object_object_get_ex(o, "unavailable", NULL))
			check_common(o, 3);
		else
			assert_true(strlen(string_of(o, "unavailable")) > 0);
	}
	json_object_put(list);
}

static void base_pages_cost_the_tables_they_must(void **state)
{
	struct json_object *list =
		tool_json(0, "bench tables --json --procs 2 --backend plain --size " SIZE_TEXT);

	(void)state;
	assert_int_equal(json_object_array_length(list), 2);
	check_base_tables(element(list, "backend", "mmap"));
	check_base_tables(element(list, "backend", "plain"));
	json_object_put(list);
}

/* 32 tables against at most a few: ten times fewer with room to spare. */
static void huge_pages_cost_a_tenth_at_most(void **state)
{
	struct json_object *list;
	struct json_object *thp;

	(void)state;
	if (caps.backend[MSHARE_BACKEND_THP].error)
		skip_because("this kernel gives shared memory no transparent huge pages");
	if (shmem_is_always_huge())
		skip_because("shared memory is huge unasked: nothing to compare with");
	if (!countable)
		skip_because("the page tables of a sanitizer cannot be told apart");
	list = tool_json(0, "bench tables --json --procs 2 --backend thp --size " SIZE_TEXT);
	thp = element(list, "backend", "thp");
	assert_non_null(thp);
	assert_int_equal(number_of(thp, "page_size"), caps.pmd_size);
	assert_true(number_of(thp, "table_bytes_per_proc") * 10 <=
		    number_of(element(list, "backend", "mmap"), "table_bytes_per_proc"));
	assert_true(number_of(thp, "minor_faults_per_proc") * 10 <=
		    number_of(element(list, "backend", "mmap"), "minor_faults_per_proc"));
	json_object_put(list);
}

/* Populating for writing takes a fault for each base page, where a scan gets many at a time. */
static void populate_maps_every_page(void **state)
{
	struct json_object *list = tool_json(
		0, "bench tables --json --procs 1 --populate --backend plain --size " SIZE_TEXT);
	struct json_object *plain = element(list, "backend", "plain");

	(void)state;
	assert_int_equal(json_object_array_length(list), 2);
	check_base_tables(element(list, "backend", "mmap"));
	check_base_tables(plain);
	if (!shmem_is_always_huge())
		assert_true(number_of(plain, "minor_faults_per_proc") >= SIZE / caps.base_size);
	json_object_put(list);
}

static void check_parallel(const char *options, uint64_t procs, uint64_t parallel)
{
	struct json_object *list = tool_json(
		0, "bench tables --json --backend plain --size " SIZE_TEXT " %s", options);
	struct json_object *plain = element(list, "backend", "plain");

	assert_int_equal(number_of(plain, "parallel"), parallel);
	check_common(plain, procs);
	check_base_tables(plain);
	json_object_put(list);
}

/* More at a time than there are processors, and a last group that is smaller, measure as well. */
static void parallel_is_what_was_asked_for(void **state)
{
	(void)state;
	check_parallel("--procs 3 --parallel 1", 3, 1);
	check_parallel("--procs 5 --parallel 4", 5, 4);
	check_parallel("--procs 2 --parallel 9", 2, 2);
}

/* Each member of a group holds a pipe of the bench, which a group at a time does not need. */
static void groups_run_one_after_another(void **state)
{
	struct rlimit before;
	struct rlimit few = { 24, 24 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(
		tool("bench tables --procs 40 --parallel 4 --backend plain --size 4M")->status, 0);
	check_complaint(tool("bench tables --procs 40 --parallel 40 --backend plain --size 4M"), 1,
			"no descriptor is left");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void unavailable_has_the_reason(void **state)
{
	struct json_object *list;
	struct json_object *shim;

	(void)state;
	if (!caps.backend[MSHARE_BACKEND_SHIM].error)
		skip_because("the kernel module is loaded: no backend is unavailable for sure");
	list = tool_json(0, "bench tables --json --procs 2 --backend shim --size 4M");
	shim = element(list, "backend", "shim");
	assert_true(strlen(string_of(shim, "unavailable")) > 0);
	assert_false(json_object_object_get_ex(shim, "first_scan_ms", NULL));
	assert_int_equal(number_of(shim, "procs"), 2);
	json_object_put(list);
	check_contains(tool("bench tables --procs 1 --size 4M")->out, "unavailable: ");
}

static void bad_values(void **state)
{
	(void)state;
	check_complaint(tool("bench tables --size 0"), 2, "\"0\"");
	check_complaint(tool("bench tables --size 1.5G"), 2, "\"1.5G\"");
	check_complaint(tool("bench tables --size 99999999999T"), 2, "9223372036854775807");
	check_complaint(tool("bench tables --size 9223372036854775807"), 2, "more than a file");
	check_complaint(tool("bench tables --procs 0"), 2, "--procs \"0\"");
	check_complaint(tool("bench tables --procs 100001"), 2, "100000");
	check_complaint(tool("bench tables --parallel 0"), 2, "--parallel \"0\"");
	check_complaint(tool("bench tables --parallel -1"), 2, "--parallel \"-1\"");
	check_complaint(tool("bench tables --backend thp,frob"), 2, "\"frob\"");
	check_complaint(tool("bench tables --backend thp,"), 2, "\"\"");
	check_complaint(tool("bench tables --size 8000000T"), 1, "are available");
	check_complaint(tool("bench tables --size 4M --procs 1 --plot /no/such/dir/x.svg"), 1,
			"/no/such/dir/x.svg");
}

static void text_has_no_escape_codes_in_a_pipe(void **state)
{
	const struct tool_run *run = tool("bench tables --procs 2 --size 8M --backend plain");

	(void)state;
	assert_int_equal(run->status, 0);
	check_no_escape(run->out);
	assert_string_equal(run->err, ""); /* no bar either */
	check_contains(run->out, "mmap");
	check_contains(run->out, cpus() > 1 ? "2 processes x 8 MiB, 2 at a time"
					    : "2 processes x 8 MiB, 1 at a time");
}

static void terminal_gets_a_bar(void **state)
{
	(void)state;
	check_contains(tool_on_terminal("bench tables --procs 2 --size 8M --backend plain")->out,
		       "100%");
	setenv("NO_COLOR", "1", 1);
	check_no_escape(tool_on_terminal("bench tables --procs 1 --size 8M")->out);
	unsetenv("NO_COLOR");
}

static void plot_is_an_svg(void **state)
{
	char path[] = "/tmp/mshare-test-plot-XXXXXX";
	int fd = mkstemp(path);
	char text[32768];
	ssize_t got;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(
		tool("bench tables --procs 1 --size 8M --backend plain --plot %s", path)->status,
		0);
	got = read(fd, text, sizeof(text) - 1);
	assert_true(got > 0 && got < (ssize_t)sizeof(text) - 1);
	text[got] = '\0';
	assert_int_equal(strncmp(text, "<svg ", 5), 0);
	assert_string_equal(text + got - 7, "</svg>\n");
	check_contains(text, "Page tables per process");
	check_contains(text, ">plain<");
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	close(fd);
	unlink(path);
}

/* The bench is killed while processes wait for the last one; none of them outlives it. */
static void killed_bench_leaves_nobody(void **state)
{
	pid_t pid = tool_start("bench tables --procs 200 --size 64M --json");
	cpu_set_t unused;

	(void)state;
	while (members(pid, &unused) < 5)
		usleep(1000);
	kill_bench(pid);
}

/* And, in groups that are still being started, none that waits for the others. */
static void killed_bench_leaves_nobody_at_the_start(void **state)
{
	pid_t pid = tool_start("bench tables --procs 100 --parallel 100 --size 4M --json");
	cpu_set_t unused;

	(void)state;
	while (members(pid, &unused) < 20)
		usleep(1000);
	kill_bench(pid);
}

/* Those that measure at the same time do it on processors of their own: every one is used. */
static void each_member_has_a_processor(void **state)
{
	cpu_set_t all;
	cpu_set_t confined;
	pid_t pid;

	(void)state;
	if (cpus() < 2)
		skip();
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	pid = tool_start("bench tables --procs 2000 --size 64M --json");
	while (members(pid, &confined) == 0)
		usleep(1000); /* it has yet to begin */
	while (!CPU_EQUAL(&all, &confined))
		assert_true(members(pid, &confined) > 0);
	kill_bench(pid);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_backend_is_in_the_array),
		cmocka_unit_test(base_pages_cost_the_tables_they_must),
		cmocka_unit_test(huge_pages_cost_a_tenth_at_most),
		cmocka_unit_test(populate_maps_every_page),
		cmocka_unit_test(parallel_is_what_was_asked_for),
		cmocka_unit_test(groups_run_one_after_another),
		cmocka_unit_test(unavailable_has_the_reason),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(text_has_no_escape_codes_in_a_pipe),
		cmocka_unit_test(terminal_gets_a_bar),
		cmocka_unit_test(plot_is_an_svg),
		cmocka_unit_test(killed_bench_leaves_nobody),
		cmocka_unit_test(killed_bench_leaves_nobody_at_the_start),
		cmocka_unit_test(each_member_has_a_processor),
	};

	tool_main(argc, argv);
	unsetenv("MSHARE_BACKEND");
	return cmocka_run_group_tests(tests, probe, NULL);
}
