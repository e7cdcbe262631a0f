/* SPDX-License-Identifier: MIT */
/* mshare stat: all that mshare_stat() tells about a named region. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "census-json.h"
#include "names.h"
#include "term.h"
#include "text.h"
#include "tool.h"
#include "views.h"

static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ MSHARE_STAT_F_TRUNCATED, "truncated" },
	{ MSHARE_STAT_F_READ_ONLY, "read_only" },
	{ MSHARE_STAT_F_SHARED_TABLES, "shared_tables" },
	{ MSHARE_STAT_F_HOST, "host" },
	{ MSHARE_STAT_F_IO_URING, "io_uring" },
	{ MSHARE_STAT_F_DIRECT, "direct" },
	{ MSHARE_STAT_F_PARTS, "parts" },
	{ MSHARE_STAT_F_REGISTERED, "registered" },
};
#define FLAG_COUNT (sizeof(flag_names) / sizeof(flag_names[0]))

/* In `valid`, beside those of mshare.h: the module was asked about both views. */
#define VALID_VIEWS ((uint64_t)1 << 63)

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
	{ "faults", offsetof(struct mshare_stat, faults), VALID_VIEWS, false },
	{ "links", offsetof(struct mshare_stat, links), VALID_VIEWS, false },
};
#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

/* What the kernel module says of each view; 0, -ENOENT: nobody hosts it; -errno: not known. */
struct views {
	int err[VIEW_KINDS];
	struct mshare_ctl_query of[VIEW_KINDS];
};

static const struct {
	const char *name;
	size_t offset;
} view_numbers[] = {
	{ "links", offsetof(struct mshare_ctl_query, links) },
	{ "tables", offsetof(struct mshare_ctl_query, tables) },
	{ "entries", offsetof(struct mshare_ctl_query, entries) },
	{ "faults", offsetof(struct mshare_ctl_query, faults) },
	{ "invalidations", offsetof(struct mshare_ctl_query, invalidations) },
	{ "flushes", offsetof(struct mshare_ctl_query, flushes) },
};
#define VIEW_NUMBER_COUNT (sizeof(view_numbers) / sizeof(view_numbers[0]))

static uint64_t view_number(const struct views *v, unsigned int kind, size_t i)
{
	const char *view = (const char *)&v->of[kind];

	return *(const __u64 *)(const void *)(view + view_numbers[i].offset);
}

static const char *view_state(int err)
{
	return !err ? "hosted" : err == -ENOENT ? "none" : "unknown";
}

/* null: nobody hosts it, or that cannot be known. */
static struct json_object *host_json(int32_t pid)
{
	return pid ? json_object_new_int(pid) : NULL;
}

static struct json_object *view_json(const struct views *v, unsigned int kind)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "view", json_object_new_string(view_kinds[kind].name));
	json_object_object_add(o, "state", json_object_new_string(view_state(v->err[kind])));
	json_object_object_add(o, "host_pid", host_json(v->err[kind] ? 0 : v->of[kind].host));
	for (size_t i = 0; i < VIEW_NUMBER_COUNT; i++)
		json_object_object_add(
			o, view_numbers[i].name,
			v->err[kind] ? NULL : json_object_new_uint64(view_number(v, kind, i)));
	return o;
}

static void print_view(const struct views *v, unsigned int kind)
{
	printf("  view: %-6s %s", view_kinds[kind].name, view_state(v->err[kind]));
	if (!v->err[kind] && v->of[kind].host)
		printf(" by process %" PRId32, v->of[kind].host);
	for (size_t i = 0; !v->err[kind] && i < VIEW_NUMBER_COUNT; i++)
		printf("%s %s %" PRIu64, i ? "," : ":", view_numbers[i].name,
		       view_number(v, kind, i));
	putchar('\n');
}

/*
 * mshare_stat() asks for the handle, which may read only, and so about one of two views. Asking
 * about the other takes the right to write.
 */
static void ask_views(mshare_t r, struct views *v, struct mshare_stat *st)
{
	cleanup_fd int device = ctl_open();
	cleanup_fd int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", mshare_fd(r));
	fd = sys_open(path, O_RDWR, 0);
	st->faults = 0;
	st->links = 0;
	st->valid |= VALID_VIEWS;
	for (unsigned int i = 0; i < VIEW_KINDS; i++) {
		v->err[i] = device < 0 ? device
				       : view_ask(device, fd < 0 ? mshare_fd(r) : fd,
						  view_kinds[i].prot, &v->of[i]);
		st->faults += v->of[i].faults;
		st->links += v->of[i].entries;
		if (!v->err[i] && v->of[i].host)
			st->host_pid = v->of[i].host;
		if (!v->err[i] && v->of[i].parts)
			st->flags |= MSHARE_STAT_F_PARTS;
		if (v->err[i] && v->err[i] != -ENOENT)
			st->valid &= ~VALID_VIEWS;
	}
}

static uint64_t number(const struct mshare_stat *st, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)st + numbers[i].offset);
}

static bool obtained(const struct mshare_stat *st, size_t i)
{
	return (st->valid & numbers[i].needs) == numbers[i].needs;
}

static void print_json(const char *name, const struct mshare_stat *st, const struct views *v)
{
	struct json_object *o = json_object_new_object();
	struct json_object *views = json_object_new_array();

	json_object_object_add(o, "name", json_text(name));
	json_object_object_add(o, "backend", json_object_new_string(backend_name(st->backend)));
	json_object_object_add(o, "pages", json_object_new_string(pages_name(st->pages)));
	for (size_t i = 0; i < NUMBER_COUNT; i++)
		json_object_object_add(o, numbers[i].name,
				       obtained(st, i) ? json_object_new_uint64(number(st, i))
						       : NULL);
	for (size_t i = 0; i < FLAG_COUNT; i++)
		json_object_object_add(o, flag_names[i].name,
				       json_object_new_boolean(!!(st->flags & flag_names[i].flag)));
	json_object_object_add(o, "host_pid", host_json(st->host_pid));
	json_object_object_add(o, "reason", json_text(st->reason));
	for (unsigned int i = 0; i < VIEW_KINDS; i++)
		json_object_array_add(views, view_json(v, i));
	json_object_object_add(o, "views", views);
	tool_print_json(o);
}

static void print_text(const char *name, const struct mshare_stat *st, const struct views *v)
{
	char text[TERM_SIZE_TEXT];

	fputs(term_on(TERM_BOLD), stdout);
	text_print(stdout, name, -1);
	puts(term_off());
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
	for (unsigned int i = 0; i < VIEW_KINDS; i++)
		print_view(v, i);
}

/* Opened for reading: looking needs no more right than that. */
static int read_stat(const struct command *self, const char *name, struct mshare_stat *st,
		     struct views *v)
{
	mshare_t r = mshare_open(name, O_RDONLY, NULL);
	int status = 0;

	*st = (struct mshare_stat){ .size = sizeof(*st),
				    .want = MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES };
	if (!r || mshare_stat(r, st))
		status = tool_failed(self, "%s", mshare_errmsg());
	else
		ask_views(r, v, st);
	if (r)
		mshare_close(r);
	return status;
}

static int run(const struct command *self, int argc, char **argv)
{
	char buf[REGION_NAME_SIZE];
	struct mshare_stat st;
	struct views views = { 0 };
	bool json = false;
	const char *name;
	int status = tool_options(self, argc, argv, &json);

	if (status >= 0)
		return status;
	if (optind != argc - 1)
		return tool_misused(self, "%d names given, one is needed: mshare stat NAME",
				    argc - optind);
	name = region_name(argv[optind], buf);
	status = read_stat(self, name, &st, &views);
	if (status)
		return status;
	if (json)
		print_json(name, &st, &views);
	else
		print_text(name, &st, &views);
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
		"\"faults\" and \"links\" are counted by the kernel module, for all processes; the\n"
		"last lines tell what it says of those who read and of those who write, and which\n"
		"process hosts their page tables.\n"
		"\n"
		"  --json  one object; what could not be obtained is null\n"
		"\n"
		"Example: why a region has not got huge pages\n"
		"  mshare stat --json /pgbuf | jq -r .reason\n",
	.run = run,
};
