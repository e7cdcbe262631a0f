/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 32
#define TEXT_SIZE 4096

static const char *path;
static struct tool_run last;
static uid_t runner; /* 0: whoever runs the test */

void tool_main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s PATH-OF-MSHARE\n", argv[0]);
		exit(2);
	}
	path = argv[1];
}

static void split(char *text, char **words)
{
	size_t count = 0;

	words[count++] = (char *)"mshare";
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		assert_true(count < MOST_WORDS - 1);
		words[count++] = word;
	}
	words[count] = NULL;
}

/* The rest of a file, which must fit. */
static void slurp(FILE *from, char *to, size_t size)
{
	size_t got;

	rewind(from);
	got = fread(to, 1, size, from);
	assert_true(got < size);
	to[got] = '\0';
	fclose(from);
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Becomes the command, with these outputs; `alone`: in a process group of its own. */
static pid_t start(char **words, int out, int err, bool alone)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (alone)
			setpgid(0, 0);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		if (!runner || !setresuid(runner, runner, runner))
			execvp(path, words);
		_exit(127);
	}
	return pid;
}

__attribute__((format(printf, 3, 0))) static void format_words(char *text, char **words,
							       const char *format, va_list args)
{
	assert_true(vsnprintf(text, TEXT_SIZE, format, args) < TEXT_SIZE);
	split(text, words);
}

/* With stdout into a descriptor, or kept in `last` where that is negative. */
static void run_words(char **words, int into)
{
	FILE *out = tmpfile();
	FILE *err = tmpfile();

	assert_non_null(out);
	assert_non_null(err);
	last.status = wait_for(start(words, into < 0 ? fileno(out) : into, fileno(err), false));
	slurp(out, last.out, sizeof(last.out));
	slurp(err, last.err, sizeof(last.err));
}

__attribute__((format(printf, 1, 0))) static const struct tool_run *run_format(const char *format,
									       va_list args)
{
	char text[TEXT_SIZE];
	char *words[MOST_WORDS];

	format_words(text, words, format, args);
	run_words(words, -1);
	return &last;
}

const struct tool_run *tool(const char *format, ...)
{
	const struct tool_run *run;
	va_list args;

	va_start(args, format);
	run = run_format(format, args);
	va_end(args);
	return run;
}

const struct tool_run *tool_into(int fd, const char *args)
{
	char text[TEXT_SIZE];
	char *words[MOST_WORDS];

	snprintf(text, sizeof(text), "%s", args);
	split(text, words);
	run_words(words, fd);
	return &last;
}

bool tool_become(uid_t uid)
{
	runner = uid;
	if (!uid || tool("--version")->status != 127)
		return true;
	runner = 0;
	return false;
}

pid_t tool_start(const char *args)
{
	char text[TEXT_SIZE];
	char *words[MOST_WORDS];
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid;

	snprintf(text, sizeof(text), "%s", args);
	split(text, words);
	pid = start(words, nowhere, nowhere, true);
	close(nowhere);
	return pid;
}

/* A terminal whose other end closed answers EIO. */
static void read_terminal(int terminal)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(terminal, last.out + got, sizeof(last.out) - 1 - got)) > 0)
		got += (size_t)n;
	assert_true(n == 0 || errno == EIO);
	last.out[got] = '\0';
	last.err[0] = '\0';
	close(terminal);
}

const struct tool_run *tool_on_terminal(const char *args)
{
	char *words[MOST_WORDS];
	char text[TEXT_SIZE];
	int terminal;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", args);
	split(text, words);
	pid = forkpty(&terminal, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("TERM", "xterm", 1);
		execvp(path, words);
		_exit(127);
	}
	read_terminal(terminal);
	last.status = wait_for(pid);
	return &last;
}

struct json_object *tool_json(int status, const char *format, ...)
{
	struct json_tokener *parser = json_tokener_new();
	struct json_object *o;
	va_list args;

	va_start(args, format);
	run_format(format, args);
	va_end(args);
	assert_string_equal(last.err, "");
	assert_int_equal(last.status, status);
	json_tokener_set_flags(parser, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(parser, last.out, (int)strlen(last.out));
	assert_int_equal(json_tokener_get_error(parser), json_tokener_success);
	assert_int_equal(json_tokener_get_parse_end(parser), strlen(last.out)); /* nothing behind */
	json_tokener_free(parser);
	assert_non_null(o);
	return o;
}

void skip_because(const char *reason)
{
	fprintf(stderr, "skip: %s\n", reason);
	skip();
	abort();
}

void check_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text);
}

void check_no_escape(const char *text)
{
	if (strchr(text, '\033'))
		fail_msg("an escape code is in: %s", text);
}

void check_complaint(const struct tool_run *run, int status, const char *part)
{
	assert_string_equal(run->out, "");
	check_contains(run->err, part);
	assert_int_equal(run->status, status);
	assert_int_equal(strncmp(run->err, "mshare: ", 8), 0);
	assert_ptr_equal(strchr(run->err, '\n'), run->err + strlen(run->err) - 1);
}

struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(o));
	return value;
}

uint64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	assert_int_equal(json_object_get_type(value), json_type_int);
	return json_object_get_uint64(value);
}

double double_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	assert_int_equal(json_object_get_type(value), json_type_double);
	return json_object_get_double(value);
}

const char *string_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	assert_int_equal(json_object_get_type(value), json_type_string);
	return json_object_get_string(value);
}

struct json_object *element(struct json_object *array, const char *key, const char *value)
{
	assert_int_equal(json_object_get_type(array), json_type_array);
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		if (!strcmp(string_of(o, key), value))
			return o;
	}
	return NULL;
}
