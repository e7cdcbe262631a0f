/* SPDX-License-Identifier: MIT */
#include "hugelimit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The second is where systems put it that use version 1 beside it. */
static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

/* As the kernel writes it in file names: "2MB". */
static const char *size_name(uint64_t page_size, char *out, size_t out_size)
{
	if (page_size >= GIB)
		snprintf(out, out_size, "%lluGB", (unsigned long long)(page_size / GIB));
	else if (page_size >= MIB)
		snprintf(out, out_size, "%lluMB", (unsigned long long)(page_size / MIB));
	else
		snprintf(out, out_size, "%lluKB", (unsigned long long)(page_size / KIB));
	return out;
}

/* UINT64_MAX for "max", and where there is no such file: groups without the controller. */
static uint64_t read_bytes(const char *group, uint64_t page_size, const char *what)
{
	char path[PATH_MAX];
	char name[32];
	char text[32];

	if (snprintf(path, sizeof(path), "%s/hugetlb.%s.%s", group,
		     size_name(page_size, name, sizeof(name)), what) >= (int)sizeof(path) ||
	    sys_read_file(path, text, sizeof(text)) <= 0 || !strncmp(text, "max", 3))
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static uint64_t left_in(const char *group, uint64_t page_size)
{
	uint64_t max = read_bytes(group, page_size, "max");
	uint64_t used = max == UINT64_MAX ? 0 : read_bytes(group, page_size, "current");

	if (max == UINT64_MAX || used == UINT64_MAX)
		return max;
	return used < max ? max - used : 0;
}

/* The path in the line "0::/path" of version 2, in text; NULL: none. */
static char *own_group(char *text)
{
	char *line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;

	if (!line)
		return NULL;
	line = strchr(line, '/');
	if (line)
		line[strcspn(line, "\n")] = '\0';
	return line;
}

/*
 * Every group around ours counts, up to the root of what we see. A container may name a path of the
 * machine that is not there in its own mount: then the root is its group.
 */
static uint64_t left_around(const char *mount, const char *group, uint64_t page_size)
{
	char path[PATH_MAX];
	size_t root = strlen(mount);
	uint64_t least = UINT64_MAX;

	if (snprintf(path, sizeof(path), "%s%s", mount, strcmp(group, "/") ? group : "") >=
	    (int)sizeof(path))
		return least;
	for (;;) {
		uint64_t left = left_in(path, page_size);
		char *last = strrchr(path + root, '/');

		least = left < least ? left : least;
		if (!last)
			return least;
		*last = '\0';
	}
}

uint64_t hugelimit_left(uint64_t page_size)
{
	char text[8192];
	uint64_t least = UINT64_MAX;
	const char *group;

	if (sys_read_file("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return UINT64_MAX;
	group = own_group(text);
	for (size_t i = 0; group && i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		uint64_t left = left_around(mounts[i], group, page_size);

		least = left < least ? left : least;
	}
	return least;
}
