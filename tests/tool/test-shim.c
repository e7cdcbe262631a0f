/* SPDX-License-Identifier: MIT */
/* top, metrics and stat with the kernel module: what it counts, for root and for others. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "janitor.h"
#include "mshare.h"
#include "tool.h"
#include "users.h"

#define USER 1000
#define USERS 4
#define SLOTS 3

static char name[64];
static size_t slot;
static struct users users;

/* Full, so that all tables are there, and attached by nobody. */
static mshare_t make_region(const char *of_name)
{
	static const char page[4096] = { 1 };
	mshare_t r;

	setenv("MSHARE_BACKEND", "shim", 1);
	r = mshare_create(of_name, SLOTS * slot, NULL);
	unsetenv("MSHARE_BACKEND");
	assert_non_null(r);
	for (size_t off = 0; off < SLOTS * slot; off += sizeof(page))
		assert_int_equal(pwrite(mshare_fd(r), page, sizeof(page), (off_t)off),
				 sizeof(page));
	return r;
}

static int clean_up(void **state)
{
	(void)state;
	tool_become(0);
	users_go(&users);
	mshare_unlink(name);
	return 0;
}

/* One table a slot, that all point to: the others have been saved. */
static void check_tables(struct json_object *o)
{
	uint64_t tables = (uint64_t)SLOTS * (uint64_t)getpagesize();

	assert_int_equal(number_of(o, "links"), USERS);
	assert_int_equal(number_of(o, "table_bytes_once"), tables);
	assert_int_equal(number_of(o, "table_bytes_saved"), (USERS - 1) * tables);
	assert_true(number_of(o, "faults") >= USERS);
}

static void root_sees_everything(void **state)
{
	mshare_t r = make_region(*state); /* a name, or none */
	struct json_object *census, *o;

	users_come(&users, r, USERS);
	census = tool_json(0, "top --json");
	o = region_seen(census, r);
	assert_string_equal(string_of(census, "module"), "loaded");
	assert_int_equal(number_of(census, "processes_unread"), 0);
	assert_string_equal(string_of(o, "backend"), "shim");
	assert_string_equal(string_of(o, "memory"), "shmem");
	assert_int_equal(number_of(o, "size"), SLOTS * slot);
	assert_true(json_object_get_boolean(member(o, "host")));
	assert_int_equal(number_of(o, "attachers"), USERS);
	assert_int_equal(number_of(o, "attachers_linked"), USERS);
	check_tables(o);
	json_object_put(census);
	mshare_close(r);
}

/* The module tells whoever may open the file; who maps it is the processes' own affair. */
static void others_may_ask_the_module(void **state)
{
	mshare_t r = make_region(name);
	struct json_object *census, *o;

	(void)state;
	assert_int_equal(fchmod(mshare_fd(r), 0666), 0);
	users_come(&users, r, USERS);
	assert_true(tool_become(USER));
	census = tool_json(0, "top --json");
	o = region_seen(census, r);
	assert_string_equal(string_of(o, "backend"), "shim");
	assert_null(member(o, "attachers"));
	assert_int_equal(number_of(o, "links"), USERS);
	assert_int_equal(number_of(o, "table_bytes_once"), SLOTS * (uint64_t)getpagesize());
	json_object_put(census);
	mshare_close(r);
}

/* Who may not open it knows nothing, which is not 0. */
static void others_without_right_know_nothing(void **state)
{
	mshare_t r = make_region(name);
	struct json_object *census, *o;

	(void)state;
	users_come(&users, r, 1);
	assert_true(tool_become(USER));
	census = tool_json(0, "top --json");
	o = region_seen(census, r);
	assert_null(member(o, "links"));
	assert_null(member(o, "faults"));
	assert_null(member(o, "table_bytes_once"));
	assert_null(member(o, "table_bytes_saved"));
	json_object_put(census);
	mshare_close(r);
}

static void counters_count(void **state)
{
	mshare_t r = make_region(name);
	struct json_object *census;
	char sample[160];
	uint64_t before;

	(void)state;
	users_come(&users, r, USERS);
	census = tool_json(0, "top --json");
	before = number_of(region_seen(census, r), "invalidations");
	json_object_put(census);
	assert_int_equal(mshare_flush(r, 0, slot, MSHARE_FLUSH_DISCARD), 0);
	census = tool_json(0, "top --json");
	assert_true(number_of(region_seen(census, r), "invalidations") > before);
	assert_int_equal(number_of(region_seen(census, r), "table_bytes_once"),
			 (SLOTS - 1) * (uint64_t)getpagesize());
	json_object_put(census);
	snprintf(sample, sizeof(sample), "mshare_region_faults_total{region=\"%s\"", name);
	check_contains(tool("metrics")->out, sample);
	check_contains(tool("metrics")->out, "\nmshare_module_loaded 1\n");
	mshare_close(r);
}

/* Also the view for writing, of which a handle that reads knows nothing. */
static void stat_tells_of_both_views(void **state)
{
	mshare_t r = make_region(name);
	struct json_object *o, *view;

	(void)state;
	users_come(&users, r, USERS);
	o = tool_json(0, "stat --json %s", name);
	view = element(member(o, "views"), "view", "write");
	assert_string_equal(string_of(view, "state"), "hosted");
	assert_int_equal(number_of(view, "links"), USERS);
	assert_int_equal(number_of(view, "tables"), SLOTS);
	assert_int_equal(number_of(view, "entries"), USERS * SLOTS);
	assert_int_equal(number_of(o, "links"), USERS * SLOTS);
	assert_int_equal(number_of(o, "faults"), number_of(view, "faults"));
	json_object_put(o);
	mshare_close(r);
}

static void check_parts(bool wanted)
{
	struct json_object *o = tool_json(0, "stat --json %s", name);

	assert_int_equal(json_object_get_boolean(member(o, "parts")), wanted);
	json_object_put(o);
	assert_int_equal(strstr(tool("stat %s", name)->out, " parts\n") != NULL, wanted);
}

/* Whatever backend the command itself would get for the name. */
static void stat_tells_of_parts(void **state)
{
	mshare_t r = make_region(name);

	(void)state;
	users_come(&users, r, 1);
	check_parts(false);
	assert_int_equal(mshare_map(r, (off_t)slot, slot, -1, 0, PROT_READ | PROT_WRITE), 0);
	check_parts(true);
	assert_int_equal(
		mshare_map(r, (off_t)slot, slot, mshare_fd(r), (off_t)slot, PROT_READ | PROT_WRITE),
		0);
	check_parts(false);
	mshare_close(r);
}

static void check_group(int pid, const char *group)
{
	char path[64], text[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, group);
}

#define GROUP "/sys/fs/cgroup/mshare-test-tool"

/* A process in a group of its own, by way of a user that attaches nothing. */
static void enter_group(int pid)
{
	char text[16];
	int fd;

	assert_int_equal(mkdir(GROUP, 0755), 0);
	fd = open(GROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "%d", pid);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Whatever backend the command itself would get for the name. */
static void handover_moves_the_host(void **state)
{
	mshare_t r = make_region(name);
	struct json_object *o, *view;
	const struct tool_run *run;
	int host;

	(void)state;
	check_complaint(tool("handover /mshare-test-no-such 1"), 1, "does not exist");
	users_come(&users, r, USERS);
	enter_group(users.pids[0]);
	o = tool_json(0, "stat --json %s", name);
	view = element(member(o, "views"), "view", "write");
	host = (int)number_of(view, "host_pid");
	assert_int_equal(number_of(o, "host_pid"), host);
	json_object_put(o);
	check_group(host, "0::/");
	run = tool("handover %s %d", name, (int)users.pids[0]);
	assert_string_equal(run->err, "");
	assert_int_equal(run->status, 0);
	assert_string_equal(run->out, "");
	check_group(host, "0::/mshare-test-tool");
	check_group(users.pids[1], "0::/");
	check_complaint(tool("handover %s %d", name, INT_MAX), 1, "there is no process");
	users_go(&users);
	while (rmdir(GROUP) != 0) {
		assert_int_equal(errno, EBUSY); /* the host has not left yet */
		usleep(10000);
	}
	mshare_close(r);
}

/* Who may read only, and who may write but not move processes. */
static void handover_without_right(void **state)
{
	mshare_t r = make_region(name);

	(void)state;
	users_come(&users, r, 1);
	assert_int_equal(fchmod(mshare_fd(r), 0644), 0);
	assert_true(tool_become(USER));
	check_complaint(tool("handover %s 1", name), 1, "no right");
	tool_become(0);
	assert_int_equal(fchmod(mshare_fd(r), 0666), 0);
	assert_true(tool_become(USER));
	check_complaint(tool("handover %s 1", name), 1, "cgroup.procs");
	mshare_close(r);
}

#define CASE(f, of_name) cmocka_unit_test_prestate_setup_teardown(f, NULL, clean_up, of_name)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(root_sees_everything, name),
		CASE(root_sees_everything, NULL),
		CASE(others_may_ask_the_module, NULL),
		CASE(others_without_right_know_nothing, NULL),
		CASE(counters_count, NULL),
		CASE(stat_tells_of_both_views, NULL),
		CASE(stat_tells_of_parts, NULL),
		CASE(handover_moves_the_host, NULL),
		CASE(handover_without_right, NULL),
	};

	tool_main(argc, argv);
	slot = mshare_align(1, MSHARE_ALIGN_PMD);
	snprintf(name, sizeof(name), "/mshare-test-shim-%d", (int)getpid());
	janitor_start(name + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
