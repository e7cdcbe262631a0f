/* SPDX-License-Identifier: MIT */
#include "memlimit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both versions of control groups; the second may be mounted beside the first. */
static const struct hierarchy {
	const char *line; /* how its line in /proc/self/cgroup goes on after the number */
	const char *mount;
	const char *limit;
	const char *used;
} hierarchies[] = {
	{ "::", "/sys/fs/cgroup", "memory.max", "memory.current" },
	{ "::", "/sys/fs/cgroup/unified", "memory.max", "memory.current" },
	{ ":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes" },
};

/* The texts of a search: the stack of the program's thread may be small. */
struct search {
	char own[8192];
	char group[PATH_MAX];
	char file[PATH_MAX];
};

/* UINT64_MAX for "max", and where there is no such file. */
static uint64_t read_bytes(struct search *s, const char *file)
{
	char text[32];

	if (snprintf(s->file, sizeof(s->file), "%s/%s", s->group, file) >= (int)sizeof(s->file) ||
	    sys_read_file(s->file, text, sizeof(text)) <= 0 || !strncmp(text, "max", 3))
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static uint64_t left_in_group(struct search *s, const struct hierarchy *h)
{
	uint64_t limit = read_bytes(s, h->limit);
	uint64_t used = limit == UINT64_MAX ? 0 : read_bytes(s, h->used);

	if (limit == UINT64_MAX)
		return limit;
	return used < limit ? limit - used : 0;
}

/* Every group around ours counts, up to the root of what we see; a container may not see the path
 * that it is told. */
static uint64_t left_around(struct search *s, const char *path, const struct hierarchy *h)
{
	size_t root = strlen(h->mount);
	uint64_t least = UINT64_MAX;

	if (snprintf(s->group, sizeof(s->group), "%s%s", h->mount, path) >= (int)sizeof(s->group))
		return least;
	for (;;) {
		uint64_t left = left_in_group(s, h);
		char *last = strrchr(s->group + root, '/');

		least = left < least ? left : least;
		if (!last)
			return least;
		*last = '\0';
	}
}

/* The path of the group in the line of a hierarchy, NUL-terminated in text; NULL: no such line. */
static const char *find_path(char *text, const struct hierarchy *h)
{
	char *next;

	for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		char *rest = line + strspn(line, "0123456789");

		if (!strncmp(rest, h->line, strlen(h->line)))
			return rest + strlen(h->line);
	}
	return NULL;
}

uint64_t memlimit_left(void)
{
	struct search *s = malloc(sizeof(*s));
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; s && i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		const char *path = NULL;
		uint64_t left;

		if (sys_read_file("/proc/self/cgroup", s->own, sizeof(s->own)) > 0)
			path = find_path(s->own, &hierarchies[i]);
		left = path ? left_around(s, path, &hierarchies[i]) : UINT64_MAX;
		least = left < least ? left : least;
	}
	free(s);
	return least;
}

static uint64_t left_of_machine(void)
{
	static const char name[] = "\nMemAvailable:";
	char text[256]; /* it is the third line */
	const char *line = NULL;

	if (sys_read_file("/proc/meminfo", text, sizeof(text)) > 0)
		line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 10) * KIB : UINT64_MAX;
}

uint64_t memlimit_available(void)
{
	uint64_t group = memlimit_left();
	uint64_t machine = left_of_machine();

	return group < machine ? group : machine;
}
