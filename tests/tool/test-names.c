/* SPDX-License-Identifier: MIT */
/* list, stat, rm and revoke on regions that the test makes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "janitor.h"
#include "mshare.h"
#include "tool.h"

#define UNPRIVILEGED 65534

static char name[64];
static size_t size;

static int make(void **state)
{
	mshare_t r;

	size = mshare_align(1, MSHARE_ALIGN_PMD);
	setenv("MSHARE_BACKEND", "plain", 1);
	r = mshare_create(name, size, NULL);
	*state = r;
	return r ? 0 : -1;
}

static int unmake(void **state)
{
	tool_become(0);
	mshare_close(*state);
	mshare_unlink(name); /* a test may have removed it */
	unsetenv("MSHARE_BACKEND");
	return 0;
}

static struct json_object *listed(struct json_object *list)
{
	struct json_object *o = element(list, "name", name);

	assert_non_null(o);
	return o;
}

static void list_tells_size_and_mode(void **state)
{
	struct json_object *list = tool_json(0, "list --json");
	struct json_object *o = listed(list);

	(void)state;
	assert_int_equal(number_of(o, "size"), size);
	assert_int_equal(number_of(o, "used"), 0);
	assert_string_equal(string_of(o, "pages"), "shmem");
	assert_string_equal(string_of(o, "mode"), "0600");
	assert_true(json_object_get_boolean(member(o, "accessible")));
	assert_false(json_object_get_boolean(member(o, "in_use")));
	assert_false(json_object_get_boolean(member(o, "host")));
	json_object_put(list);
	check_contains(tool("list")->out, name);
	check_no_escape(tool("list")->out);
	check_contains(tool("list --names")->out, name);
}

static void list_sees_use_and_memory(void **state)
{
	struct json_object *list;
	mshare_t r;
	char *p;

	(void)state;
	/* the thp backend is the one that announces itself to a helper */
	setenv("MSHARE_BACKEND", "thp", 1);
	r = mshare_open(name, O_RDWR, NULL);
	setenv("MSHARE_BACKEND", "plain", 1);
	if (!r)
		skip_because("this kernel gives shared memory no transparent huge pages");
	p = mshare_attach(r, NULL, 0, size, PROT_READ | PROT_WRITE, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	p[0] = 1;
	list = tool_json(0, "list --json");
	assert_true(json_object_get_boolean(member(listed(list), "in_use")));
	assert_true(number_of(listed(list), "used") > 0);
	json_object_put(list);
	assert_int_equal(mshare_detach(r, p, size), 0);
	assert_int_equal(mshare_close(r), 0);
}

/* Without root the right to open the region is gone, and lstat(2) is all there is. */
static void list_without_right(void **state)
{
	struct json_object *list;

	(void)state;
	if (geteuid() != 0 || !tool_become(UNPRIVILEGED))
		skip_because("needs root, and a command that others may run");
	list = tool_json(0, "list --json");
	assert_int_equal(number_of(listed(list), "size"), size);
	assert_false(json_object_get_boolean(member(listed(list), "accessible")));
	assert_null(member(listed(list), "in_use"));
	assert_null(member(listed(list), "host"));
	json_object_put(list);
}

static void stat_counts_attachers(void **state)
{
	struct json_object *o = tool_json(0, "stat %s --json", name);
	void *p;

	assert_string_equal(string_of(o, "name"), name);
	assert_string_equal(string_of(o, "backend"), "plain");
	assert_int_equal(number_of(o, "region_size"), size);
	assert_int_equal(number_of(o, "attachers"), 0);
	assert_true(json_object_get_boolean(member(o, "read_only")));
	json_object_put(o);
	p = mshare_attach(*state, NULL, 0, size, PROT_READ | PROT_WRITE, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	o = tool_json(0, "stat --json %s", name + 1); /* the slash may be left out */
	assert_int_equal(number_of(o, "attachers"), 1);
	json_object_put(o);
	assert_int_equal(mshare_detach(*state, p, size), 0);
	check_contains(tool("stat %s", name)->out, "backend      plain");
}

/* No module serves faults of this region: that is not the same as none. */
static void stat_tells_what_it_does_not_know(void **state)
{
	struct json_object *o = tool_json(0, "stat %s --json", name);
	struct json_object *views = member(o, "views");
	struct json_object *view = element(views, "view", "write");

	(void)state;
	assert_non_null(view);
	if (!strcmp(string_of(view, "state"), "unknown")) { /* not loaded */
		assert_null(member(o, "faults"));
		assert_null(member(o, "links"));
	} else {
		assert_string_equal(string_of(view, "state"), "none");
		assert_int_equal(number_of(o, "faults"), 0);
	}
	assert_null(member(view, "faults"));
	assert_int_equal(json_object_array_length(views), 2);
	json_object_put(o);
}

/* JSON is UTF-8, file names are bytes. */
static void list_of_strange_names(void **state)
{
	struct json_object *list;
	char path[100];
	char listed_name[100];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/dev/shm%s\377\"\033", name);
	fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	list = tool_json(0, "list --json");
	check_no_escape(tool("list")->out);
	assert_int_equal(unlink(path), 0);
	snprintf(listed_name, sizeof(listed_name), "%s\357\277\275\"\033", name);
	assert_non_null(element(list, "name", listed_name));
	json_object_put(list);
}

static void bad_names_are_refused(void **state)
{
	char long_name[300];

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	check_complaint(tool("stat /mshare-test-no-such"), 1, "does not exist");
	check_complaint(tool("stat a/b"), 1, "more than one slash");
	check_complaint(tool("stat /.."), 1, "is a directory");
	check_complaint(tool("stat %s", long_name), 1, "299 bytes");
	check_complaint(tool("rm /mshare-test-no-such"), 1, "does not exist");
	check_complaint(tool("rm /a/b"), 1, "more than one slash");
	check_complaint(tool("rm %s", long_name), 1, "299 bytes");
}

static void rm_goes_on_after_a_failure(void **state)
{
	(void)state;
	check_complaint(tool("rm /mshare-test-no-such %s", name), 1, "/mshare-test-no-such");
	check_complaint(tool("stat %s", name), 1, "does not exist");
}

/* Who has the region open sees that it is gone. */
static void revoke_ends_it_for_all(void **state)
{
	struct stat st;

	assert_int_equal(fstat(mshare_fd(*state), &st), 0);
	assert_int_equal(st.st_size, size);
	check_complaint(tool("revoke /mshare-test-no-such %s", name), 1, "/mshare-test-no-such");
	assert_int_equal(fstat(mshare_fd(*state), &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_null(mshare_open(name, O_RDONLY, NULL));
}

/* Who may not write to it cannot. */
static void revoke_without_right(void **state)
{
	struct stat st;

	if (getuid() || !tool_become(UNPRIVILEGED))
		skip();
	check_complaint(tool("revoke %s", name), 1, "no right");
	assert_int_equal(fstat(mshare_fd(*state), &st), 0);
	assert_int_equal(st.st_size, size);
}

static void rm_says_nothing_when_done(void **state)
{
	const struct tool_run *run = tool("rm %s", name);

	(void)state;
	assert_int_equal(run->status, 0);
	assert_string_equal(run->out, "");
	assert_string_equal(run->err, "");
	assert_null(mshare_open(name, O_RDONLY, NULL));
}

/* What is lost on the way out must not look like success. */
static void full_output_is_an_error(void **state)
{
	int full = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(full >= 0);
	check_complaint(tool_into(full, "list --json"), 1, "cannot be written");
	close(full);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(list_tells_size_and_mode),
		CASE(list_sees_use_and_memory),
		CASE(list_without_right),
		CASE(stat_counts_attachers),
		CASE(stat_tells_what_it_does_not_know),
		CASE(list_of_strange_names),
		CASE(bad_names_are_refused),
		CASE(rm_goes_on_after_a_failure),
		CASE(rm_says_nothing_when_done),
		CASE(full_output_is_an_error),
		CASE(revoke_ends_it_for_all),
		CASE(revoke_without_right),
	};

	tool_main(argc, argv);
	snprintf(name, sizeof(name), "/mshare-test-tool-%d", (int)getpid());
	janitor_start(name + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
