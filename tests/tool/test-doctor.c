/* SPDX-License-Identifier: MIT */
/* What doctor says agrees with what the library says, and it leaves nothing behind. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "mshare.h"
#include "tool.h"

static const struct {
	const char *name;
	enum mshare_backend id;
} backends[] = {
	{ "plain", MSHARE_BACKEND_PLAIN },
	{ "thp", MSHARE_BACKEND_THP },
	{ "hugetlb", MSHARE_BACKEND_HUGETLB },
	{ "shim", MSHARE_BACKEND_SHIM },
};
#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

static struct mshare_caps caps;

static int probe(void **state)
{
	(void)state;
	caps.size = sizeof(caps);
	return mshare_probe(&caps);
}

/* Pools may change under us on a shared machine, so hugetlb is not compared. */
static void backends_are_those_of_the_library(void **state)
{
	struct json_object *o;
	struct json_object *list;
	int status = 1;

	(void)state;
	for (int i = MSHARE_BACKEND_THP; i < MSHARE_BACKEND_COUNT; i++)
		status = caps.backend[i].error == 0 ? 0 : status;
	o = tool_json(status, "doctor --json");
	list = member(o, "backends");
	assert_int_equal(json_object_array_length(list), BACKENDS);
	for (size_t i = 0; i < BACKENDS; i++) {
		const struct mshare_backend_caps *want = &caps.backend[backends[i].id];
		struct json_object *b = element(list, "backend", backends[i].name);

		assert_non_null(b);
		assert_true(strlen(string_of(b, "reason")) > 0);
		if (backends[i].id == MSHARE_BACKEND_HUGETLB)
			continue;
		assert_int_equal(json_object_get_boolean(member(b, "available")), !want->error);
		assert_int_equal(number_of(b, "page_size"), want->page_size);
		assert_string_equal(string_of(b, "reason"), want->reason);
	}
	assert_int_equal(json_object_get_boolean(member(o, "better_than_plain")), status == 0);
	assert_int_equal(number_of(o, "pmd_size"), caps.pmd_size);
	json_object_put(o);
}

static void forced_backend_is_what_regions_get(void **state)
{
	static const char *const regions[] = { "anonymous", "named" };
	struct json_object *o;

	(void)state;
	setenv("MSHARE_BACKEND", "plain", 1);
	o = tool_json(caps.backend[MSHARE_BACKEND_THP].error ? 1 : 0, "doctor --json");
	unsetenv("MSHARE_BACKEND");
	assert_string_equal(string_of(o, "forced"), "plain");
	for (size_t i = 0; i < 2; i++) {
		struct json_object *t = element(member(o, "auto"), "region", regions[i]);

		assert_non_null(t);
		assert_string_equal(string_of(t, "backend"), "plain");
		assert_int_equal(number_of(t, "page_size"), caps.base_size);
	}
	assert_non_null(element(member(o, "auto"), "region", "file"));
	json_object_put(o);
}

/* A backend that is not there is a reason, not an answer left out. */
static void impossible_regions_have_a_reason(void **state)
{
	struct json_object *o;
	struct json_object *t;

	(void)state;
	if (!caps.backend[MSHARE_BACKEND_SHIM].error)
		skip_because("the kernel module is loaded: no backend is unavailable for sure");
	setenv("MSHARE_BACKEND", "shim", 1);
	o = tool_json(caps.backend[MSHARE_BACKEND_THP].error ? 1 : 0, "doctor --json");
	unsetenv("MSHARE_BACKEND");
	t = element(member(o, "auto"), "region", "anonymous");
	assert_non_null(t);
	check_contains(string_of(t, "unavailable"), "shim");
	json_object_put(o);
}

/* Each command names something that exists here. */
static void advice_is_about_this_machine(void **state)
{
	struct json_object *o = tool_json(0, "doctor --json");
	struct json_object *list = member(o, "better");
	bool thp = false;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *command = string_of(json_object_array_get_idx(list, i), "command");

		assert_true(strlen(command) > 0);
		thp |= strstr(command, "/shmem_enabled") != NULL;
	}
	if (caps.features & MSHARE_CAP_THP_FAULT)
		assert_false(thp);
	json_object_put(o);
}

static int count_own_names(void)
{
	DIR *dir = opendir("/dev/shm");
	const struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, "mshare-doctor-", 14);
	closedir(dir);
	return count;
}

static void text_has_all_parts(void **state)
{
	static const char *const parts[] = { "Backends", "hugetlb",	 "thp",	    "plain",
					     "shim",	 "anonymous",	 "named",   "file",
					     "io_uring", "CAP_IPC_LOCK", "memlock", "mshare-host",
					     "/dev/shm" };
	const struct tool_run *run = tool("doctor");

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		check_contains(run->out, parts[i]);
	check_no_escape(run->out);
	assert_string_equal(run->err, "");
	assert_int_equal(count_own_names(), 0);
}

static void colours_only_where_wanted(void **state)
{
	(void)state;
	check_contains(tool_on_terminal("doctor")->out, "\033[");
	setenv("NO_COLOR", "1", 1);
	check_no_escape(tool_on_terminal("doctor")->out);
	unsetenv("NO_COLOR");
	check_no_escape(tool_on_terminal("doctor --json")->out);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backends_are_those_of_the_library),
		cmocka_unit_test(forced_backend_is_what_regions_get),
		cmocka_unit_test(impossible_regions_have_a_reason),
		cmocka_unit_test(advice_is_about_this_machine),
		cmocka_unit_test(text_has_all_parts),
		cmocka_unit_test(colours_only_where_wanted),
	};

	tool_main(argc, argv);
	unsetenv("MSHARE_BACKEND");
	return cmocka_run_group_tests(tests, probe, NULL);
}
