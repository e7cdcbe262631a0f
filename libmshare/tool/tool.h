/* SPDX-License-Identifier: MIT */
/* What every subcommand of mshare(1) shares: its entry in main.c's table, options, exit statuses.
 */
#ifndef MSHARE_TOOL_H
#define MSHARE_TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "mshare.h"
#include "util.h"

struct json_object;

#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *summary; /* one line of `mshare --help` */
	const char *help; /* all of `mshare NAME --help` */
	int (*run)(const struct command *self, int argc, char **argv); /* exit status */
};

extern const struct command command_bench;
extern const struct command command_doctor;
extern const struct command command_handover;
extern const struct command command_list;
extern const struct command command_load;
extern const struct command command_metrics;
extern const struct command command_revoke;
extern const struct command command_rm;
extern const struct command command_save;
extern const struct command command_run;
extern const struct command command_stat;
extern const struct command command_top;

/* One line on stderr, "mshare: NAME: sentence". Return the exit status to leave with. */
must_check print_format(2, 3) int tool_failed(const struct command *c, const char *fmt, ...);
must_check print_format(2, 3) int tool_misused(const struct command *c, const char *fmt, ...);

/* The same without an exit status, for what does not end the command. */
print_format(2, 3) void tool_warn(const struct command *c, const char *fmt, ...);

/* The complaint about what getopt_long() just answered with '?' or ':'. */
must_check int tool_bad_option(const struct command *c, int answer, char **argv);

/*
 * Options of a command that knows only --json (json not NULL) and --help; optind is then at the
 * first operand. -1 to go on, or the exit status to leave with.
 */
must_check int tool_options(const struct command *c, int argc, char **argv, bool *json);

/* Prints the object on stdout, indented, and gives it back to json-c. */
void tool_print_json(struct json_object *object);

/* A 64-bit number; UINT64_MAX, which means "no limit" everywhere, becomes null. */
struct json_object *tool_json_limit(uint64_t value);

#endif
