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

/* The tightest found so far. */
struct limit {
	uint64_t left;
	char file[PATH_MAX]; /* "hugetlb.2MB.max" of a group */
};

/* UINT64_MAX for "max", and where there is no such file: groups without the controller. */
static uint64_t read_bytes(const char *path)
{
	char text[32];

	if (sys_read_file(path, text, sizeof(text)) <= 0 || !strncmp(text, "max", 3))
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static void look_at(const char *group, uint64_t page_size, struct limit *limit)
{
	char name[32];
	char path[PATH_MAX + 64];
	size_t stem = (size_t)snprintf(path, PATH_MAX, "%s/hugetlb.%s.", group,
				       size_name(page_size, name, sizeof(name)));
	uint64_t max;
	uint64_t used;

	if (stem >= PATH_MAX - sizeof("max"))
		return;
	strcpy(path + stem, "max");
	max = read_bytes(path);
	if (max == UINT64_MAX)
		return;
	strcpy(path + stem, "current");
	used = read_bytes(path);
	if (used == UINT64_MAX)
		used = 0;
	max = used < max ? max - used : 0;
	if (max >= limit->left)
		return;
	limit->left = max;
	snprintf(limit->file, sizeof(limit->file), "%.*smax", (int)stem, path);
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
static void look_around(const char *mount, const char *group, uint64_t page_size,
			struct limit *limit)
{
	char path[PATH_MAX];
	size_t root = strlen(mount);

	if (snprintf(path, sizeof(path), "%s%s", mount, strcmp(group, "/") ? group : "") >=
	    (int)sizeof(path))
		return;
	for (;;) {
		char *last = strrchr(path + root, '/');

		look_at(path, page_size, limit);
		if (!last)
			return;
		*last = '\0';
	}
}

uint64_t hugelimit_left(uint64_t page_size, char *file, size_t size)
{
	struct limit limit = { .left = UINT64_MAX };
	char text[8192];
	const char *group = NULL;

	if (sys_read_file("/proc/self/cgroup", text, sizeof(text)) > 0)
		group = own_group(text);
	for (size_t i = 0; group && i < sizeof(mounts) / sizeof(mounts[0]); i++)
		look_around(mounts[i], group, page_size, &limit);
	if (file)
		snprintf(file, size, "%s", limit.file);
	return limit.left;
}
