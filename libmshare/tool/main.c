/* SPDX-License-Identifier: MIT */
/* mshare(1): one tool, one file per subcommand. A new one is a struct command and a line below. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "suggest.h"
#include "tool.h"

static const struct command *const commands[] = {
	&command_doctor, &command_list,	   &command_stat,     &command_top,
	&command_rm,	 &command_revoke,  &command_handover, &command_save,
	&command_load,	 &command_metrics, &command_bench,    &command_run,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

static void print_help(FILE *out)
{
	fputs("usage: mshare COMMAND [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Shared memory with the cheapest page tables this machine can give.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "  --help     this text; mshare COMMAND --help tells more\n"
	      "  --version  the version of the tool and its library\n"
	      "\n"
	      "Examples:\n"
	      "  mshare doctor              what this machine can do, and how it could do more\n"
	      "  sudo mshare top            who uses which region, and what that costs and saves\n"
	      "  mshare stat --json /pgbuf  all about one region\n"
	      "  man mshare                 everything; mshare(7) explains the ideas\n",
	      out);
}

static int print_version(void)
{
	printf("mshare %d.%d.%d\n", MSHARE_VERSION_MAJOR, MSHARE_VERSION_MINOR,
	       MSHARE_VERSION_PATCH);
	return 0;
}

static int unknown_command(const char *name)
{
	const char *names[COMMAND_COUNT];
	const char *nearest;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i]->name;
	nearest = suggest_nearest(name, names, COMMAND_COUNT);
	if (nearest)
		fprintf(stderr, "mshare: \"%s\" is not a command, did you mean \"%s\"?\n", name,
			nearest);
	else
		fprintf(stderr, "mshare: \"%s\" is not a command: see mshare --help\n", name);
	return EXIT_USAGE;
}

/* "mshare help COMMAND", as "mshare COMMAND --help". */
static int help_about(const char *name)
{
	const struct command *c = find_command(name);

	if (!c)
		return unknown_command(name);
	fputs(c->help, stdout);
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2)
		return help_about(argv[2]);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return print_version();
	c = find_command(argv[1]);
	return c ? c->run(c, argc - 1, argv + 1) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	int status;

	opterr = 0; /* the commands complain themselves, in one line */
	status = dispatch(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "mshare: the output cannot be written: %s\n", strerror(errno));
		return 1;
	}
	return status;
}
