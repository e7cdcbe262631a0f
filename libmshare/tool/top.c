/* SPDX-License-Identifier: MIT */
/* mshare top: all regions and what they cost, again and again. */
#include "top.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "census-json.h"
#include "parse.h"
#include "suggest.h"

#define BATCH_MOST 1000000000

static void sleep_seconds(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	while (nanosleep(&time, &time))
		;
}

static void print_table(const struct top *t, struct census *c)
{
	top_sort(t, c);
	for (unsigned int i = 0; i < TOP_SUMMARY_LINES; i++) {
		if (i == 2 && !c->unread)
			continue;
		top_print_summary(stdout, t, c, i);
		putchar('\n');
	}
	putchar('\n');
	top_print_heading(stdout, t, 0);
	putchar('\n');
	for (size_t i = 0; i < c->count; i++) {
		top_print_region(stdout, c, &c->list[i], 0);
		putchar('\n');
	}
}

/* One document for people and programs; of several, each is a line. */
static void print_json(const struct top *t, struct census *c)
{
	struct json_object *o = census_json(c);

	if (t->batch == 1) {
		tool_print_json(o);
		return;
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static int print_batch(const struct top *t)
{
	struct census before = { 0 };
	struct census now = { 0 };
	int err = 0;

	for (uint64_t i = 0; i < t->batch && !ferror(stdout); i++) {
		if (i)
			sleep_seconds(t->delay);
		err = census_take(&now, i ? &before : NULL, t->thorough);
		if (err)
			break;
		if (i && !t->json)
			putchar('\n');
		(t->json ? print_json : print_table)(t, &now);
		fflush(stdout);
		census_free(&before);
		before = now;
		now = (struct census){ 0 };
	}
	census_free(&before);
	census_free(&now);
	return err ? tool_failed(t->command, "no memory for the regions") : 0;
}

static int bad_sort(const struct command *c, const char *key)
{
	const char *nearest = suggest_nearest(key, top_column_names(), top_column_count());
	char all[128] = "";

	if (nearest)
		return tool_misused(c, "--sort: \"%s\" is no column, did you mean \"%s\"?", key,
				    nearest);
	for (size_t i = 0; i < top_column_count(); i++) {
		strcat(all, i ? " " : "");
		strcat(all, top_column_names()[i]);
	}
	return tool_misused(c, "--sort: \"%s\" is no column: %s", key, all);
}

/* -1 to go on, or an exit status. */
static int set_option(struct top *t, int option, const char *value)
{
	int column;

	switch (option) {
	case '1':
		t->batch = 1;
		return -1;
	case 't':
		t->thorough = true;
		return -1;
	case 'j':
		t->json = true;
		return -1;
	case 'n':
		if (parse_count(value, BATCH_MOST, &t->batch))
			return tool_misused(t->command, "--batch: \"%s\" is no number of tables",
					    value);
		return -1;
	case 'd':
		if (parse_seconds(value, DELAY_LEAST, DELAY_MOST, &t->delay))
			return tool_misused(t->command, "--delay: \"%s\" is not %g to %g seconds",
					    value, DELAY_LEAST, DELAY_MOST);
		return -1;
	default:
		column = top_column(value);
		if (column < 0)
			return bad_sort(t->command, value);
		t->sort = (unsigned int)column;
		return -1;
	}
}

static int read_options(struct top *t, int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "json", no_argument, NULL, 'j' },
						 { "once", no_argument, NULL, '1' },
						 { "batch", required_argument, NULL, 'n' },
						 { "delay", required_argument, NULL, 'd' },
						 { "sort", required_argument, NULL, 's' },
						 { "tables", no_argument, NULL, 't' },
						 { 0 } };
	int status = -1;
	int answer;

	while (status < 0 &&
	       (answer = getopt_long(argc, argv, ":h1n:d:s:t", options, NULL)) != -1) {
		if (answer == 'h') {
			fputs(t->command->help, stdout);
			return 0;
		}
		if (answer == '?' || answer == ':')
			return tool_bad_option(t->command, answer, argv);
		status = set_option(t, answer, optarg);
	}
	return status;
}

static bool can_move_cursor(void)
{
	const char *type = getenv("TERM");

	return isatty(STDOUT_FILENO) && type && *type && strcmp(type, "dumb");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct top t = { .command = self, .delay = 2, .sort = (unsigned int)top_column("procs") };
	int status = read_options(&t, argc, argv);

	if (status >= 0)
		return status;
	if (optind < argc)
		return tool_misused(self, "\"%s\" is one argument too many: see mshare top --help",
				    argv[optind]);
	if (t.json && !t.batch)
		t.batch = 1;
	if (t.batch)
		return print_batch(&t);
	if (!can_move_cursor())
		return tool_misused(self, "the output is no terminal that can be redrawn: "
					  "use --once, --batch N or --json");
	return top_live(&t);
}

const struct command command_top = {
	.name = "top",
	.summary = "show live what regions cost and who uses them",
	.help = "usage: mshare top [--delay SECONDS] [--sort COLUMN] [--tables]\n"
		"       mshare top --once | --batch N | --json [OPTION]...\n"
		"\n"
		"Shows all regions: named ones, those without a name that a process of yours uses\n"
		"(root: any process), and files attached through the kernel module. Columns:\n"
		"\n"
		"  BACKEND   how it is attached: shim, hugetlb, thp, plain; - by nobody\n"
		"  SIZE      of the region; USED: memory allocated to it\n"
		"  PROCS     processes that have it attached\n"
		"  ONCE      page tables that are kept once for all of them\n"
		"  SAVED     page tables that base pages would need besides\n"
		"  OWN       all page tables of these processes' own\n"
		"  FAULTS/s  page faults served by the kernel module\n"
		"  MINOR/s   all minor faults of these processes\n"
		"  INVAL/s   times that shared page tables had to be taken back\n"
		"  NAME      or path, and the first process that has it attached\n"
		"\n"
		"? is what cannot be known from here; root sees most. On a terminal keys are\n"
		"\n" TOP_KEYS "\n"
		"  --delay SECONDS  between two looks; default 2\n"
		"  --sort COLUMN    backend size used procs once saved own faults minor\n"
		"                   invalidations name; default procs\n"
		"  --tables         measure SAVED also where page tables are large, which keeps\n"
		"                   their processes waiting\n"
		"  --once           print one table; there are no rates in it\n"
		"  --batch N        print N tables\n"
		"  --json           one object, with --batch one a line; ? is null\n"
		"\n"
		"Examples:\n"
		"  sudo mshare top --sort saved\n"
		"  mshare top --once --json | jq '.regions[] | {name, attachers, "
		"table_bytes_saved}'\n",
	.run = run,
};
