/* SPDX-License-Identifier: MIT */
/* mshare list: the named regions of this machine. */
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "align.h"
#include "census-json.h"
#include "objects.h"
#include "term.h"
#include "text.h"
#include "tool.h"

#define OWNER_SIZE 34

/* The user's name, or its number where nobody knows a name. */
static const char *owner(const struct object *o, char *buf)
{
	const struct passwd *user = getpwuid(o->file.st_uid);

	if (user)
		snprintf(buf, OWNER_SIZE, "%s", user->pw_name);
	else
		snprintf(buf, OWNER_SIZE, "%u", o->file.st_uid);
	return buf;
}

static uint64_t used(const struct object *o)
{
	return (uint64_t)o->file.st_blocks * 512;
}

/* hugetlbfs reports the size of its pages as the block size. */
static uint64_t page_size(const struct object *o)
{
	return o->hugetlb ? (uint64_t)o->file.st_blksize : page_sizes()->base;
}

static struct json_object *json_known(enum known value)
{
	return value == KNOWN_NOT ? NULL : json_object_new_boolean(value == KNOWN_YES);
}

static struct json_object *json_object_of(const struct object *o)
{
	struct json_object *j = json_object_new_object();
	char text[OWNER_SIZE];

	json_object_object_add(j, "name", json_text(o->name));
	json_object_object_add(j, "directory", json_text(o->dir));
	json_object_object_add(j, "size", json_object_new_uint64((uint64_t)o->file.st_size));
	json_object_object_add(j, "used", json_object_new_uint64(used(o)));
	json_object_object_add(j, "pages",
			       json_object_new_string(o->hugetlb ? "hugetlb" : "shmem"));
	json_object_object_add(j, "page_size", json_object_new_uint64(page_size(o)));
	json_object_object_add(j, "in_use", json_known(o->in_use));
	json_object_object_add(j, "host", json_known(o->host));
	json_object_object_add(j, "owner", json_object_new_string(owner(o, text)));
	snprintf(text, sizeof(text), "%04o", o->file.st_mode & 07777);
	json_object_object_add(j, "mode", json_object_new_string(text));
	json_object_object_add(j, "accessible", json_object_new_boolean(o->opened));
	return j;
}

static void print_json(const struct objects *all)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < all->count; i++)
		json_object_array_add(array, json_object_of(&all->list[i]));
	tool_print_json(array);
}

static const char *yes_no(enum known value)
{
	return value == KNOWN_NOT ? "?" : value == KNOWN_YES ? "yes" : "no";
}

static void print_object(const struct object *o)
{
	char size[TERM_SIZE_TEXT];
	char in_use[TERM_SIZE_TEXT];
	char page[TERM_SIZE_TEXT];
	char pages[TERM_SIZE_TEXT + 8];
	char user[OWNER_SIZE];

	snprintf(pages, sizeof(pages), "%s", o->hugetlb ? term_size(page_size(o), page) : "shmem");
	printf("%10s %10s  %-7s %-6s %-4s  %04o  %-10s ",
	       term_size((uint64_t)o->file.st_size, size), term_size(used(o), in_use), pages,
	       yes_no(o->in_use), yes_no(o->host), o->file.st_mode & 07777, owner(o, user));
	text_print(stdout, o->name, -1);
	putchar('\n');
}

static void print_text(const struct objects *all)
{
	if (!all->count) {
		puts("no named regions");
		return;
	}
	printf("%s%10s %10s  %-7s %-6s %-4s  %-4s  %-10s %s%s\n", term_on(TERM_BOLD), "SIZE",
	       "USED", "PAGES", "IN USE", "HOST", "MODE", "OWNER", "NAME", term_off());
	for (size_t i = 0; i < all->count; i++)
		print_object(&all->list[i]);
}

/* For programs that read lines, so without names that are more than one. */
static void print_names(const struct objects *all)
{
	for (size_t i = 0; i < all->count; i++) {
		if (!strchr(all->list[i].name, '\n'))
			puts(all->list[i].name);
	}
}

/* -1 to go on, or an exit status. */
static int read_options(const struct command *self, int argc, char **argv,
			void (**print)(const struct objects *))
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "json", no_argument, NULL, 'j' },
						 { "names", no_argument, NULL, 'n' },
						 { 0 } };
	int answer;

	while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (answer == 'h') {
			fputs(self->help, stdout);
			return 0;
		}
		if (answer == '?' || answer == ':')
			return tool_bad_option(self, answer, argv);
		*print = answer == 'j' ? print_json : print_names;
	}
	return -1;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct objects all;
	void (*print)(const struct objects *) = print_text;
	int status = read_options(self, argc, argv, &print);

	if (status >= 0)
		return status;
	if (optind < argc)
		return tool_misused(
			self, "\"%s\" is one argument too many: mshare list [--json | --names]",
			argv[optind]);
	if (objects_find(&all)) {
		objects_free(&all);
		return tool_failed(self, "no memory for the list");
	}
	print(&all);
	if (all.unread)
		tool_warn(self, "%zu of the directories with named regions cannot be read",
			  all.unread);
	status = all.unread ? 1 : 0;
	objects_free(&all);
	return status;
}

const struct command command_list = {
	.name = "list",
	.summary = "list named regions",
	.help = "usage: mshare list [--json | --names]\n"
		"\n"
		"Lists every object in /dev/shm and in the hugetlbfs mounts: its size, the memory\n"
		"it uses, its pages (shmem, or the size of its hugetlb pages), whether a process\n"
		"has it attached through libmshare, whether an mshare-host serves it, mode, owner\n"
		"and name. \"?\" is what the right to open the object would be needed for.\n"
		"\n"
		"  --json   an array with one object each: name, directory, size, used, pages,\n"
		"           page_size, in_use, host, owner, mode, accessible; ? is null\n"
		"  --names  names only, one a line\n"
		"\n"
		"Regions without a name are shown by mshare top.\n"
		"\n"
		"Example: names of the regions that nobody has attached\n"
		"  mshare list --json | jq -r '.[] | select(.in_use == false).name'\n",
	.run = run,
};
