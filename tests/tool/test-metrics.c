/* SPDX-License-Identifier: MIT */
/* metrics: the text format of Prometheus, and the file that takes the place of another. */
#include <dirent.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "janitor.h"
#include "mshare.h"
#include "tool.h"
#include "users.h"

/* Quotes and backslashes are escaped, a byte that is no UTF-8 is replaced. */
#define STRANGE "\"\\\377\n"
#define STRANGE_LABEL "\\\"\\\\\357\277\275\\n"

#define NAME "[a-zA-Z_:][a-zA-Z0-9_:]*"
#define LABEL "[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\\\\\"n])*\""
#define SAMPLE "^" NAME "(\\{" LABEL "(," LABEL ")*\\})? -?[0-9]+(\\.[0-9]+)?$"

static char name[64];

static int remove_name(void **state)
{
	(void)state;
	mshare_unlink(name);
	return 0;
}

static mshare_t make_region(void)
{
	mshare_t r;

	setenv("MSHARE_BACKEND", "plain", 1);
	r = mshare_create(name, mshare_align(1, MSHARE_ALIGN_PMD), NULL);
	unsetenv("MSHARE_BACKEND");
	assert_non_null(r);
	return r;
}

/* A sample belongs to the family that was named last; counters, and only they, end with _total. */
static void check_line(const regex_t *sample, char *family, const char *line)
{
	char type[16];
	char described[128];

	if (sscanf(line, "# HELP %127s", described) == 1) {
		assert_string_not_equal(described, family);
	} else if (sscanf(line, "# TYPE %127s %15s", family, type) == 2) {
		size_t length = strlen(family);
		bool total = length > 6 && !strcmp(family + length - 6, "_total");

		assert_string_equal(type, total ? "counter" : "gauge");
	} else {
		if (regexec(sample, line, 0, NULL, 0))
			fail_msg("no sample: %s", line);
		assert_int_equal(strncmp(line, family, strlen(family)), 0);
	}
}

static void every_line_is_of_the_format(void **state)
{
	mshare_t r = make_region();
	const struct tool_run *run = tool("metrics");
	char text[sizeof(run->out)];
	char family[128] = "";
	regex_t sample;

	(void)state;
	assert_int_equal(run->status, 0);
	assert_string_equal(run->err, "");
	check_contains(run->out, name);
	check_no_escape(run->out);
	assert_int_equal(run->out[strlen(run->out) - 1], '\n');
	assert_int_equal(regcomp(&sample, SAMPLE, REG_EXTENDED), 0);
	strcpy(text, run->out);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		check_line(&sample, family, line);
	regfree(&sample);
	mshare_close(r);
}

static void strange_names_are_escaped(void **state)
{
	char path[128];
	char label[160];
	const struct tool_run *run;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/dev/shm%s" STRANGE, name);
	fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	run = tool("metrics");
	assert_int_equal(unlink(path), 0);
	snprintf(label, sizeof(label), "mshare_region_size_bytes{region=\"%s" STRANGE_LABEL "\",",
		 name);
	check_contains(run->out, label);
}

static void unknown_has_no_sample(void **state)
{
	mshare_t r = make_region();
	const struct tool_run *run;
	struct users users;
	char sample[160];

	(void)state;
	users_come(&users, r, 2);
	run = tool("metrics");
	users_go(&users);
	snprintf(sample, sizeof(sample), "mshare_region_attachers{region=\"%s\"", name);
	check_contains(run->out, sample);
	snprintf(sample, sizeof(sample), "mshare_region_faults_total{region=\"%s\"", name);
	assert_null(strstr(run->out, sample)); /* no module has counted any */
	mshare_close(r);
}

/* How many files there are in a directory. */
static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

/* Who has the old file open keeps it; the new one can be read by the exporter. */
static void file_is_replaced_in_one_step(void **state)
{
	char dir[] = "/tmp/mshare-test-XXXXXX";
	char path[64];
	struct stat before, after;
	int old;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/mshare.prom", dir);
	old = open(path, O_CREAT | O_RDWR | O_EXCL, 0600);
	assert_true(old >= 0);
	umask(022);
	assert_int_equal(tool("metrics --output %s", path)->status, 0);
	assert_int_equal(fstat(old, &before), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, 0);
	assert_true(after.st_size > 0);
	assert_true(before.st_ino != after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0644);
	assert_int_equal(entries(dir), 1);
	close(old);
	/* A directory cannot be replaced by a file, and nothing is left beside it. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	check_complaint(tool("metrics --output %s", path), 1, "cannot be written");
	assert_int_equal(entries(dir), 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
	check_complaint(tool("metrics --output %s/x", dir), 1, "No such file");
}

static void lost_output_is_an_error(void **state)
{
	int full = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(full >= 0);
	check_complaint(tool_into(full, "metrics"), 1, "cannot be written");
	close(full);
}

#define CASE(f) cmocka_unit_test_teardown(f, remove_name)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(every_line_is_of_the_format), CASE(strange_names_are_escaped),
		CASE(unknown_has_no_sample),	   CASE(file_is_replaced_in_one_step),
		CASE(lost_output_is_an_error),
	};

	tool_main(argc, argv);
	snprintf(name, sizeof(name), "/mshare-test-metrics-%d", (int)getpid());
	janitor_start(name + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
