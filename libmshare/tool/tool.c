/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

print_format(2, 0) static void complain(const struct command *c, const char *fmt, va_list args)
{
	char sentence[1024];

	vsnprintf(sentence, sizeof(sentence), fmt, args);
	fprintf(stderr, "mshare: %s: %s\n", c->name, sentence);
}

int tool_failed(const struct command *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(c, fmt, args);
	va_end(args);
	return 1;
}

int tool_misused(const struct command *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(c, fmt, args);
	va_end(args);
	return EXIT_USAGE;
}

void tool_warn(const struct command *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(c, fmt, args);
	va_end(args);
}

int tool_bad_option(const struct command *c, int answer, char **argv)
{
	const char *what = answer == ':' ? "needs a value" : "is not known, or takes no value";

	const char *word = argv[optind - 1];

	/* Of several letters in one word getopt_long() tells the one it stumbled over. */
	if (strncmp(word, "--", 2) && optopt > ' ' && optopt < 127)
		return tool_misused(c, "option -%c %s: see mshare %s --help", optopt, what,
				    c->name);
	return tool_misused(c, "option %s %s: see mshare %s --help", word, what, c->name);
}

int tool_options(const struct command *c, int argc, char **argv, bool *json)
{
	static const struct option with_json[] = { { "help", no_argument, NULL, 'h' },
						   { "json", no_argument, NULL, 'j' },
						   { 0 } };
	static const struct option without[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int answer;

	while ((answer = getopt_long(argc, argv, ":h", json ? with_json : without, NULL)) != -1) {
		if (answer == 'h') {
			fputs(c->help, stdout);
			return 0;
		}
		if (answer != 'j')
			return tool_bad_option(c, answer, argv);
		*json = true;
	}
	return -1;
}

void tool_print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

struct json_object *tool_json_limit(uint64_t value)
{
	return value == UINT64_MAX ? NULL : json_object_new_uint64(value);
}
