/* SPDX-License-Identifier: MIT */
/* mshare stat: all that mshare_stat() tells about a named region. */
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "names.h"
#include "term.h"
#include "tool.h"

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ MSHARE_STAT_F_TRUNCATED, "truncated" },	  { MSHARE_STAT_F_READ_ONLY, "read_only" },
	{ MSHARE_STAT_F_SHARED_TABLES, "shared_tables" }, { MSHARE_STAT_F_HOST, "host" },
	{ MSHARE_STAT_F_IO_URING, "io_uring" },		  { MSHARE_STAT_F_DIRECT, "direct" },
};
#define FLAG_COUNT (sizeof(flag_names) / sizeof(flag_names[0]))

static const struct {
	const char *name;
	size_t offset;
	uint64_t needs; /* bit of valid, or 0 */
	bool bytes;
} numbers[] = {
	{ "region_size", offsetof(struct mshare_stat, region_size), 0, true },
	{ "used", offsetof(struct mshare_stat, used), 0, true },
	{ "page_size", offsetof(struct mshare_stat, page_size), 0, true },
	{ "grid", offsetof(struct mshare_stat, grid), 0, true },
	{ "alignment", offsetof(struct mshare_stat, alignment), 0, true },
	{ "attachers", offsetof(struct mshare_stat, attachers), MSHARE_STAT_ATTACHERS, false },
	{ "attachments", offsetof(struct mshare_stat, attachments), 0, false },
	{ "table_bytes", offsetof(struct mshare_stat, table_bytes), MSHARE_STAT_TABLES, true },
	{ "huge_bytes", offsetof(struct mshare_stat, huge_bytes), MSHARE_STAT_TABLES, true },
	{ "flushes", offsetof(struct mshare_stat, flushes), 0, false },
	{ "faults", offsetof(struct mshare_stat, faults), 0, false },
	{ "links", offsetof(struct mshare_stat, links), 0, false },
};
#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static uint64_t number(const struct mshare_stat *st, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)st + numbers[i].offset);
}

static bool obtained(const struct mshare_stat *st, size_t i)
{
	return (st->valid & numbers[i].needs) == numbers[i].needs;
}

static void print_json(const char *name, const struct mshare_stat *st)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "backend", json_object_new_string(backend_name(st->backend)));
	json_object_object_add(o, "pages", json_object_new_string(pages_name(st->pages)));
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		json_object_object_add(o, numbers[i].name,
				       obtained(st, i) ? json_object_new_uint64(number(st, i))
						       : NULL);
	for (size_t i = 0; i < FLAG_COUNT; i++)
		json_object_object_add(o, flag_names[i].name,
				       json_object_new_boolean(!!(st->flags & flag_names[i].flag)));
	json_object_object_add(o, "reason", json_object_new_string(st->reason));
	tool_print_json(o);
}

static void print_text(const char *name, const struct mshare_stat *st)
{
	char text[TERM_SIZE_TEXT];

	printf("%s%s%s\n", term_on(TERM_BOLD), name, term_off());
	printf("  %-12s %s\n  %-12s %s\n", "backend", backend_name(st->backend), "pages",
	       pages_name(st->pages));
	for (size_t i = 0; i < NUMBER_COUNT; i++) {
		if (!obtained(st, i))
			printf("  %-12s unknown\n", numbers[i].name);
		else if (numbers[i].bytes && number(st, i) >= KIB)
			printf("  %-12s %" PRIu64 " (%s)\n", numbers[i].name, number(st, i),
			       term_size(number(st, i), text));
		else
			printf("  %-12s %" PRIu64 "\n", numbers[i].name, number(st, i));
	}
	printf("  %-12s", "flags");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (st->flags & flag_names[i].flag)
			printf(" %s", flag_names[i].name);
	}
	printf("%s\n", st->flags ? "" : " none");
	if (st->reason[0])
		printf("  %-12s %s\n", "reason", st->reason);
}

/* Opened for reading: looking needs no more right than that. */
static int read_stat(const struct command *self, const char *name, struct mshare_stat *st)
{
	mshare_t r = mshare_open(name, O_RDONLY, NULL);
	int status = 0;

	*st = (struct mshare_stat){ .size = sizeof(*st),
				    .want = MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES };
	if (!r || mshare_stat(r, st))
		status = tool_failed(self, "%s", mshare_errmsg());
	if (r)
		mshare_close(r);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	char buf[REGION_NAME_SIZE];
	struct mshare_stat st;
	bool json = false;
	const char *name;
	int status = tool_options(self, argc, argv, &json);

	if (status >= 0)
		return status;
	if (optind != argc - 1)
		return tool_misused(self, "%d names given, one is needed: mshare stat NAME",
				    argc - optind);
	name = region_name(argv[optind], buf);
	status = read_stat(self, name, &st);
	if (status)
		return status;
	if (json)
		print_json(name, &st);
	else
		print_text(name, &st);
	return 0;
}

const struct command command_stat = {
	.name = "stat",
	.summary = "tell what a named region is made of and who uses it",
	.help = "usage: mshare stat NAME [--json]\n"
		"\n"
		"Shows what mshare_stat(3) tells about the region, opened for reading: backend,\n"
		"page size, alignment, memory used, processes attached, and why a better backend\n"
		"was passed over. A name may be given without its leading slash.\n"
		"\n"
		"  --json  one object; what could not be obtained is null\n",
	.run = run,
};
