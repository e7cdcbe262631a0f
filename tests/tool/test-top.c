/* SPDX-License-Identifier: MIT */
/* top and metrics: regions that the test makes and others attach, as the command sees them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "janitor.h"
#include "mshare.h"
#include "tool.h"
#include "users.h"

#define UNPRIVILEGED 65534
#define USERS 3

static char name[64];
static size_t size;
static struct users users;

static mshare_t make_region(const char *backend, const char *of_name)
{
	mshare_t r;

	setenv("MSHARE_BACKEND", backend, 1);
	r = mshare_create(of_name, size, NULL);
	unsetenv("MSHARE_BACKEND");
	if (!r)
		skip_because(mshare_errmsg());
	return r;
}

/* What a test has made, also when it has failed. */
static int clean_up(void **state)
{
	(void)state;
	tool_become(0);
	users_go(&users);
	mshare_unlink(name); /* most tests do not make it */
	return 0;
}

/* What the command says of it when so many have it attached; the census is to be put. */
static struct json_object *in_use(mshare_t r, int count, struct json_object **census)
{
	users_come(&users, r, count);
	*census = tool_json(0, "top --json");
	return region_seen(*census, r);
}

static void check_unknown(struct json_object *o, const char *key)
{
	if (member(o, key))
		fail_msg("%s is known: %s", key, json_object_to_json_string(o));
}

/* A page table for each process and piece of a PMD's size would be shared, and is not. */
static void plain_region_saves_nothing(void **state)
{
	mshare_t r = make_region("plain", name);
	struct json_object *census, *o;

	(void)state;
	o = in_use(r, USERS, &census);
	assert_int_equal(number_of(o, "size"), size);
	assert_string_equal(string_of(o, "name"), name);
	assert_string_equal(string_of(o, "backend"), "plain");
	assert_string_equal(string_of(o, "memory"), "shmem");
	assert_int_equal(number_of(o, "attachers"), USERS);
	assert_int_equal(number_of(o, "attachers_linked"), 0);
	assert_int_equal(number_of(o, "table_bytes_once"), 0);
	assert_int_equal(number_of(o, "table_bytes_saved"), 0);
	assert_true(number_of(o, "table_bytes_attachers") >= USERS * 4096);
	assert_true(number_of(o, "minor_faults") > 0);
	assert_int_equal(number_of(o, "used"), size);
	check_unknown(o, "faults"); /* nobody counts them for this region */
	check_unknown(o, "invalidations_per_second");
	json_object_put(census);
	mshare_close(r);
}

static void nobody_has_no_backend(void **state)
{
	mshare_t r = make_region("plain", name);
	struct json_object *census = tool_json(0, "top --json");

	(void)state;
	check_unknown(region_seen(census, r), "backend");
	json_object_put(census);
	mshare_close(r);
}

/* All memfds have one name: told apart by inode, also where the name has been removed. */
static void regions_without_a_name(void **state)
{
	mshare_t memfd = make_region("plain", NULL);
	mshare_t named = make_region("plain", name);
	struct json_object *census;

	(void)state;
	users_come(&users, memfd, 1);
	assert_ptr_not_equal(mshare_attach(named, NULL, 0, size, PROT_READ, 0), MAP_FAILED);
	assert_int_equal(mshare_unlink(name), 0);
	census = tool_json(0, "top --once --json");
	assert_int_equal(number_of(region_seen(census, memfd), "attachers"), 1);
	assert_string_equal(string_of(region_seen(census, memfd), "path"), "/memfd:mshare");
	assert_string_equal(string_of(region_seen(census, memfd), "command"), "test-tool-top");
	assert_int_equal(number_of(region_seen(census, named), "attachers"), 1);
	check_unknown(region_seen(census, named), "name");
	json_object_put(census);
	mshare_close(memfd);
	mshare_close(named);
}

/* As many tables as base pages would need are what huge pages save. */
static void huge_pages_save_tables(void **state)
{
	mshare_t r = make_region("thp", NULL);
	struct json_object *census, *o;
	char *p = mshare_attach(r, NULL, 0, size, PROT_READ | PROT_WRITE, MSHARE_POPULATE);
	uint64_t pmds = size / mshare_align(1, MSHARE_ALIGN_PMD);

	(void)state;
	assert_ptr_not_equal(p, MAP_FAILED);
	o = in_use(r, USERS, &census);
	assert_string_equal(string_of(o, "backend"), "thp");
	assert_int_equal(number_of(o, "attachers"), USERS + 1);
	assert_int_equal(number_of(o, "table_bytes_saved"), (USERS + 1) * pmds * getpagesize());
	json_object_put(census);
	assert_int_equal(mshare_detach(r, p, size), 0);
	mshare_close(r);
}

static void hugetlb_regions_are_seen(void **state)
{
	mshare_t r = make_region("hugetlb", NULL);
	struct json_object *census, *o;

	(void)state;
	o = in_use(r, USERS, &census);
	assert_string_equal(string_of(o, "backend"), "hugetlb");
	assert_string_equal(string_of(o, "memory"), "hugetlb");
	check_unknown(o, "table_bytes_once"); /* the kernel does not tell */
	assert_true(number_of(o, "table_bytes_saved") >= USERS * (uint64_t)getpagesize());
	json_object_put(census);
	mshare_close(r);
}

/* Other users see the name, and must not take what they cannot see for nothing. */
static void others_are_told_that_they_do_not_know(void **state)
{
	mshare_t r = make_region("plain", name);
	struct json_object *census, *o;

	(void)state;
	users_come(&users, r, 1);
	if (geteuid() != 0 || !tool_become(UNPRIVILEGED))
		skip_because("needs root, and a command that others may run");
	census = tool_json(0, "top --json");
	o = region_seen(census, r);
	assert_true(number_of(census, "processes_unread") > 0);
	check_unknown(o, "attachers");
	check_unknown(o, "table_bytes_saved");
	check_unknown(o, "table_bytes_once");
	json_object_put(census);
	mshare_close(r);
}

/* Of two documents, each on a line of its own, the second has rates. */
static void rates_are_against_the_one_before(void **state)
{
	mshare_t r = make_region("plain", name);
	struct json_object *o;
	char *second;

	(void)state;
	users_come(&users, r, 1);
	second = strchr(tool("top --json --batch 2 --delay 0.1")->out, '\n');
	assert_non_null(second);
	o = json_tokener_parse(second + 1);
	assert_non_null(o);
	assert_true(double_of(o, "interval") > 0);
	assert_true(double_of(region_seen(o, r), "minor_faults_per_second") >= 0);
	json_object_put(o);
	o = tool_json(0, "top --json");
	check_unknown(o, "interval");
	check_unknown(region_seen(o, r), "minor_faults_per_second");
	json_object_put(o);
	mshare_close(r);
}

static void tables_are_plain_text(void **state)
{
	mshare_t r = make_region("plain", name);
	const struct tool_run *run = tool("top --batch 2 --delay 0.1 --sort name");

	(void)state;
	assert_int_equal(run->status, 0);
	assert_string_equal(run->err, "");
	check_contains(run->out, "FAULTS/s");
	check_contains(strstr(run->out, "BACKEND") + 1, "BACKEND"); /* two of them */
	check_contains(run->out, name);
	check_no_escape(run->out);
	mshare_close(r);
}

static void wrong_usage(void **state)
{
	(void)state;
	check_complaint(tool("top"), 2, "--once");
	check_complaint(tool("top --delay 0 --once"), 2, "\"0\"");
	check_complaint(tool("top --delay 1s --once"), 2, "\"1s\"");
	check_complaint(tool("top --delay nan --once"), 2, "\"nan\"");
	check_complaint(tool("top --batch 0"), 2, "\"0\"");
	check_complaint(tool("top --sort svaed --once"), 2, "did you mean \"saved\"?");
	check_complaint(tool("top --sort frobnicate --once"), 2, "once saved own");
	check_complaint(tool("top --once 3"), 2, "\"3\"");
}

#define CASE(f) cmocka_unit_test_teardown(f, clean_up)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(plain_region_saves_nothing),
		CASE(nobody_has_no_backend),
		CASE(regions_without_a_name),
		CASE(huge_pages_save_tables),
		CASE(hugetlb_regions_are_seen),
		CASE(others_are_told_that_they_do_not_know),
		CASE(rates_are_against_the_one_before),
		CASE(tables_are_plain_text),
		CASE(wrong_usage),
	};

	tool_main(argc, argv);
	size = 2 * mshare_align(1, MSHARE_ALIGN_PMD);
	snprintf(name, sizeof(name), "/mshare-test-top-%d", (int)getpid());
	janitor_start(name + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
