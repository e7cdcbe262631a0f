/* SPDX-License-Identifier: MIT */
/* The report is written whatever a program does to its name, its environment and its arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subject.h"

static void map(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED && munmap(p, size) == 0);
}

#define TITLED (SIZE + 4096)

/* As servers show in ps(1) what they do: over all that they were started with. */
static void set_title(char **argv)
{
	char *start = argv[0];
	char *end = start;
	char **copy;
	size_t count = 0;

	while (environ[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		if (environ[i] + strlen(environ[i]) > end)
			end = environ[i] + strlen(environ[i]);
		expect((copy[i] = strdup(environ[i])));
	}
	memset(start, 0, (size_t)(end - start));
	environ = copy;
}

static void name_is_kept(void)
{
	char part[64];

	in_new_program("titled");
	snprintf(part, sizeof(part), "\"size\": %zu,", TITLED);
	if (!report_lines(part, "\"program\": \"test\""))
		show_report();
	expect(report_lines(part, "\"program\": \"test\"") >= 1);
}

#define NAMED (SIZE + 8192)

/* A name of any length and of any bytes leaves whole lines. */
static void any_name(void)
{
	static char name[3000];
	pid_t pid;

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "a\"\\\xc3\n", 5);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", name, "named", NULL);
		_exit(127);
	}
	wait_for(pid);
	expect(report_lines("\"program\": \"a\\\"\\\\\\u00c3\\u000annnn", "\"}\n") >= 1);
	expect(report_lines("", "") == report_lines("{\"pid\": ", "\"}\n"));
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	if (is_mode(argc, argv, "titled")) {
		set_title(argv);
		map(TITLED);
		return 0;
	}
	if (is_mode(argc, argv, "named")) {
		map(NAMED);
		return 0;
	}
	map(SIZE);
	expect_converted(SIZE);
	name_is_kept();
	any_name();
	return 0;
}
