/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 32
#define REPORT "MSHARE_RUN_REPORT"

static pid_t first; /* of the program, whose report it is */

void expect_true(bool ok, const char *file, int line, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: not so: %s (%m)\n", file, line, text);
	fflush(NULL);
	_exit(1);
}

void skip_all(const char *reason)
{
	fprintf(stderr, "skip: %s\n", reason);
	exit(getenv("MSHARE_TEST_NO_SKIP") ? 1 : 77);
}

/* Also that of a program that exits in the middle of a case. */
static void remove_report(void)
{
	const char *report = getenv(REPORT);

	if (report && getpid() == first)
		unlink(report);
}

/* A guest has the installed command instead of that of the build. */
static void become_run(char *command, char *self, const char *const *options)
{
	char report[] = "/tmp/mshare-report-XXXXXX";
	char *words[MOST_WORDS] = { command, (char *)"run", (char *)"--json", (char *)"--report",
				    report };
	size_t n = 5;
	int fd = mkstemp(report);

	expect(fd >= 0 && close(fd) == 0);
	while (*options)
		words[n++] = (char *)*options++;
	words[n++] = (char *)"--";
	words[n++] = self;
	if (access(command, X_OK) == 0)
		execv(command, words);
	else
		execvp("mshare", words);
	perror(command);
	exit(1);
}

void subject_start(int argc, char **argv, const char *const *options)
{
	if (argc == 2 && strchr(argv[1], '/'))
		become_run(argv[1], argv[0], options);
	expect(getenv(REPORT));
	if (argc == 1) {
		first = getpid();
		atexit(remove_report);
	}
}

bool backend_is(const char *name)
{
	const char *backend = getenv("MSHARE_BACKEND");

	expect(backend);
	return !strcmp(backend, name);
}

size_t report_lines(const char *part, const char *other)
{
	FILE *report = fopen(getenv(REPORT), "re");
	char line[2048];
	size_t count = 0;

	expect(report);
	while (fgets(line, sizeof(line), report))
		count += strstr(line, part) && strstr(line, other);
	fclose(report);
	return count;
}

void show_report(void)
{
	FILE *report = fopen(getenv(REPORT), "re");
	char line[2048];

	while (report && fgets(line, sizeof(line), report))
		fputs(line, stderr);
	if (report)
		fclose(report);
}

void expect_left(size_t size)
{
	char part[64];

	snprintf(part, sizeof(part), "\"size\": %zu,", size);
	if (!report_lines(part, "\"event\": \"left\""))
		show_report();
	expect(report_lines(part, "\"event\": \"left\""));
}

void expect_unseen(size_t size)
{
	char part[64];

	snprintf(part, sizeof(part), "\"size\": %zu,", size);
	expect(report_lines(part, "") == 0);
}

void expect_converted(size_t size)
{
	char part[64];
	char backend[64];

	if (backend_is("plain")) {
		expect_left(size);
		return;
	}
	snprintf(part, sizeof(part), "\"event\": \"converted\"");
	snprintf(backend, sizeof(backend), "\"size\": %zu,", size);
	if (!report_lines(part, backend))
		show_report();
	expect(report_lines(part, backend));
	snprintf(part, sizeof(part), "\"backend\": \"%s\"", getenv("MSHARE_BACKEND"));
	expect(report_lines(part, backend));
}

size_t mapped_bytes(const void *addr, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start = (uintptr_t)addr;
	size_t total = 0;
	char line[512];

	expect(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from;
		unsigned long to;

		expect(sscanf(line, "%lx-%lx", &from, &to) == 2);
		from = from < start ? start : from;
		to = to > start + len ? start + len : to;
		total += to > from ? to - from : 0;
	}
	fclose(maps);
	return total;
}

size_t mapped_total(void)
{
	return mapped_bytes(NULL, SIZE_MAX / 2);
}

size_t descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	expect(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void fill(void *p, size_t len, uint64_t salt)
{
	uint64_t *words = p;

	for (size_t i = 0; i < len / sizeof(*words); i += 64)
		words[i] = i ^ salt;
}

void expect_filled(const void *p, size_t len, uint64_t salt)
{
	const uint64_t *words = p;

	for (size_t i = 0; i < len / sizeof(*words); i += 64)
		expect(words[i] == (i ^ salt));
}

void wait_for(pid_t pid)
{
	int status = 0;

	expect(pid > 0 && waitpid(pid, &status, 0) == pid);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void in_child(void (*body)(void *), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		body(arg);
		fflush(NULL);
		_exit(0);
	}
	wait_for(pid);
}

void in_new_program(const char *mode)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test", mode, NULL);
		_exit(127);
	}
	wait_for(pid);
}

bool is_mode(int argc, char **argv, const char *mode)
{
	return argc == 2 && !strcmp(argv[1], mode);
}
