/* SPDX-License-Identifier: MIT */
/* save and load on regions that the test makes, and loads that are killed. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "janitor.h"
#include "mshare.h"
#include "tool.h"

#define SIZE ((size_t)8 << 20)
#define KILLS 25

static char name[64], copy[96], file[96];
static unsigned char *bytes;

static void fill(unsigned char first)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		memset(bytes + i, (int)(first + i / 4096) % 251, 100);
}

static int make(void **state)
{
	mshare_t r;

	setenv("MSHARE_BACKEND", "plain", 1);
	r = mshare_create(name, SIZE, NULL);
	*state = r;
	bytes = mshare_attach(r, NULL, 0, SIZE, PROT_READ | PROT_WRITE, 0);
	if (bytes == MAP_FAILED)
		return -1;
	fill(1);
	return 0;
}

static int unmake(void **state)
{
	mshare_close(*state);
	mshare_unlink(name);
	mshare_unlink(copy);
	unlink(file);
	unsetenv("MSHARE_BACKEND");
	return 0;
}

/* Whether a region holds what the first one does. */
static bool is_same(const char *other)
{
	mshare_t r = mshare_open(other, O_RDONLY, NULL);
	void *p;
	bool same;

	assert_non_null(r);
	p = mshare_attach(r, NULL, 0, SIZE, PROT_READ, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	same = memcmp(p, bytes, SIZE) == 0;
	assert_int_equal(mshare_detach(r, p, SIZE), 0);
	assert_int_equal(mshare_close(r), 0);
	return same;
}

static void there_and_back(void **state)
{
	struct json_object *o = tool_json(0, "save %s %s --json", name, file);
	struct stat st;

	(void)state;
	assert_string_equal(string_of(o, "file"), file);
	assert_string_equal(string_of(o, "name"), name);
	assert_int_equal(number_of(o, "region_size"), SIZE);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(number_of(o, "file_size"), st.st_size);
	assert_true(double_of(o, "seconds") > 0);
	member(o, "io_uring");
	member(o, "direct");
	member(o, "registered");
	json_object_put(o);
	o = tool_json(0, "load --json --depth 3 --cached %s %s", file, copy + 1);
	assert_string_equal(string_of(o, "name"), copy);
	assert_int_equal(number_of(o, "region_size"), SIZE);
	assert_false(json_object_get_boolean(member(o, "direct")));
	json_object_put(o);
	assert_true(is_same(copy));
	check_contains(tool("save %s %s", name, file)->out, name);
	o = tool_json(0, "load --check %s --json", file);
	assert_null(member(o, "name"));
	assert_int_equal(number_of(o, "region_size"), SIZE);
	json_object_put(o);
	check_contains(tool("load --check %s", file)->out, "sound");
}

static void existing_regions_are_kept(void **state)
{
	(void)state;
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	fill(2);
	check_complaint(tool("load %s %s", file, name), 1, "--replace");
	assert_int_equal(bytes[0], 2);
	assert_int_equal(tool("load %s %s --replace", file, name)->status, 0);
	assert_int_equal(bytes[0], 1);
}

static mode_t permissions(const char *region)
{
	mshare_t r = mshare_open(region, O_RDONLY, NULL);
	struct stat st;

	assert_non_null(r);
	assert_int_equal(fstat(mshare_fd(r), &st), 0);
	assert_int_equal(mshare_close(r), 0);
	return st.st_mode & 07777;
}

static void mode_of_new_regions(void **state)
{
	mode_t mask = umask(022);

	(void)state;
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	assert_int_equal(tool("load %s %s", file, copy)->status, 0);
	assert_int_equal(permissions(copy), 0600);
	check_complaint(tool("load --replace --mode 640 %s %s", file, copy), 1, "keeps its perm");
	assert_int_equal(permissions(copy), 0600);
	assert_int_equal(mshare_unlink(copy), 0);
	assert_int_equal(tool("load --mode 0664 %s %s", file, copy)->status, 0);
	assert_int_equal(permissions(copy), 0644);
	assert_true(is_same(copy));
	umask(mask);
}

static void damaged_files_make_no_region(void **state)
{
	(void)state;
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	assert_int_equal(truncate(file, 5 << 20), 0);
	check_complaint(tool("load %s %s", file, copy), 1, "cut off in chunk 2 ");
	check_complaint(tool("load --check %s", file), 1, "cut off in chunk 2 ");
	assert_null(mshare_open(copy, O_RDONLY, NULL));
	check_complaint(tool("load %s.no %s", file, copy), 1, "No such file");
	check_complaint(tool("load %s %s", "/dev/null", copy), 1, "not a regular file");
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	fill(3);
	check_complaint(tool("save %s /dev/null", name), 1, "not a regular file");
	check_complaint(tool("save %s.no %s", name, file), 1, "does not exist");
	assert_int_equal(tool("load %s %s", file, copy)->status, 0);
	assert_false(is_same(copy));
}

static void wrong_usage(void **state)
{
	(void)state;
	check_complaint(tool("save %s", name), 2, "NAME FILE");
	check_complaint(tool("save --check %s", name), 2, "--check");
	check_complaint(tool("save --replace %s %s", name, file), 2, "--replace");
	check_complaint(tool("load %s", file), 2, "FILE NAME");
	check_complaint(tool("load --check %s %s", file, name), 2, "--check FILE");
	check_complaint(tool("load --depth 0 %s %s", file, copy), 2, "from 1 to 64");
	check_complaint(tool("load --depth 65 %s %s", file, copy), 2, "from 1 to 64");
	check_complaint(tool("load --depth"), 2, "--depth");
	check_complaint(tool("load --mode"), 2, "--mode");
	check_complaint(tool("load --mode 0 %s %s", file, copy), 2, "octal number from 1 to 777");
	check_complaint(tool("load --mode 1000 %s %s", file, copy), 2, "octal number");
	check_complaint(tool("load --mode 648 %s %s", file, copy), 2, "octal number");
	check_complaint(tool("load --mode -1 %s %s", file, copy), 2, "octal number");
	check_complaint(tool("load --mode u=rw %s %s", file, copy), 2, "octal number");
	check_complaint(tool("load --mode 640 --check %s", file), 2, "--mode");
	check_complaint(tool("save --mode 640 %s %s", name, file), 2, "--mode");
}

/* A bar is for people: none where nobody looks, and gone when it is done. */
static void bar_on_a_terminal(void **state)
{
	char args[256];
	const struct tool_run *run;

	(void)state;
	assert_string_equal(tool("save %s %s", name, file)->err, "");
	snprintf(args, sizeof(args), "save %s %s", name, file);
	run = tool_on_terminal(args);
	assert_int_equal(run->status, 0);
	check_contains(run->out, "] 100% saving");
	check_contains(run->out, name);
}

/* Names of regions that are not complete: where a file system has objects without a name, none. */
static size_t temporaries(void)
{
	struct json_object *list = tool_json(0, "list --json");
	size_t count = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *found = string_of(json_object_array_get_idx(list, i), "name");

		count += strncmp(found, "/.mshare-load-", 14) == 0;
	}
	json_object_put(list);
	return count;
}

/* Whenever it is: no name, or all of the region. */
static void killed_loads(void **state)
{
	size_t complete = 0;
	char args[256];

	(void)state;
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	snprintf(args, sizeof(args), "load %s %s", file, copy);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = tool_start(args);
		int status;
		mshare_t r;

		usleep((useconds_t)(random() % 100000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		r = mshare_open(copy, O_RDONLY, NULL);
		if (r) {
			assert_int_equal(mshare_close(r), 0);
			assert_true(is_same(copy));
			assert_int_equal(mshare_unlink(copy), 0);
			complete++;
		}
		assert_int_equal(temporaries(), 0);
	}
	printf("%d loads killed: %zu had given the name\n", KILLS, complete);
}

/* Signals that ask for an end get one, without leftovers. */
static void interrupted_loads(void **state)
{
	char args[256];

	(void)state;
	assert_int_equal(tool("save %s %s", name, file)->status, 0);
	snprintf(args, sizeof(args), "load %s %s", file, copy);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = tool_start(args);
		int status;

		usleep((useconds_t)(random() % 30000));
		kill(pid, i % 2 ? SIGINT : SIGTERM);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			assert_true(is_same(copy));
			assert_int_equal(mshare_unlink(copy), 0);
		}
		assert_null(mshare_open(copy, O_RDONLY, NULL));
		assert_int_equal(temporaries(), 0);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(there_and_back),	 CASE(existing_regions_are_kept),
		CASE(wrong_usage),	 CASE(damaged_files_make_no_region),
		CASE(bar_on_a_terminal), CASE(killed_loads),
		CASE(interrupted_loads), CASE(mode_of_new_regions),
	};

	tool_main(argc, argv);
	srandom((unsigned int)getpid());
	snprintf(name, sizeof(name), "/mshare-test-image-%d", (int)getpid());
	snprintf(copy, sizeof(copy), "%s-copy", name);
	snprintf(file, sizeof(file), "mshare-test-image-%d", (int)getpid());
	janitor_start(name + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
