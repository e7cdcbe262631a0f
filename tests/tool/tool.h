/* SPDX-License-Identifier: MIT */
/* Runs the mshare command and keeps what it says. */
#ifndef TEST_TOOL_H
#define TEST_TOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>
#include <json-c/json.h>

struct tool_run {
	int status; /* exit status; 128 + signal */
	char out[65536];
	char err[8192];
};

/* Path of the command, or its name where it is installed: the test's first argument. */
void tool_main(int argc, char **argv);

/* The user that runs the command from now on; root only. False if that user cannot get at it. */
bool tool_become(uid_t uid);

/* Runs `mshare ARGS`, words separated by blanks, with neither output on a terminal. */
const struct tool_run *tool(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with stdout into this descriptor. */
const struct tool_run *tool_into(int fd, const char *args);

/* Starts it, in a process group of its own, and does not wait. */
pid_t tool_start(const char *args);

/* The same with stdout and stderr on one terminal; all of it is in out. */
const struct tool_run *tool_on_terminal(const char *args);

/* Runs it and parses all of stdout; the status must be `status`, and stderr empty. */
struct json_object *tool_json(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The status, nothing on stdout, and exactly one line on stderr, with `part` in it. */
void check_complaint(const struct tool_run *run, int status, const char *part);

void check_contains(const char *text, const char *part);
void check_no_escape(const char *text);

/* Skips the case; whoever sums up the tests finds the reason. */
void skip_because(const char *reason) __attribute__((noreturn));

/* Members that must be there. */
struct json_object *member(struct json_object *o, const char *key);
uint64_t number_of(struct json_object *o, const char *key);
double double_of(struct json_object *o, const char *key);
const char *string_of(struct json_object *o, const char *key);

/* The element of an array whose `key` is `value`, or NULL. */
struct json_object *element(struct json_object *array, const char *key, const char *value);

#endif
