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

/* One search, with its texts. They are too long for the stack of a thread that maps memory under
 * mshare run, and expects no more of it than the kernel takes. */
struct search {
	uint64_t page_size;
	uint64_t left; /* the tightest found so far */
	char tightest[PATH_MAX]; /* its file, "hugetlb.2MB.max" of a group */
	char own[8192];
	char group[PATH_MAX];
	char file[PATH_MAX + 64];
};

/* UINT64_MAX for "max", and where there is no such file: groups without the controller. */
static uint64_t read_bytes(const char *path)
{
	char text[32];

	if (sys_read_file(path, text, sizeof(text)) <= 0 || !strncmp(text, "max", 3))
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static void look_at_group(struct search *s)
{
	char name[32];
	char *path = s->file;
	size_t stem = (size_t)snprintf(path, PATH_MAX, "%s/hugetlb.%s.", s->group,
				       size_name(s->page_size, name, sizeof(name)));
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
	if (max >= s->left)
		return;
	s->left = max;
	snprintf(s->tightest, sizeof(s->tightest), "%.*smax", (int)stem, path);
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
static void look_around(const char *mount, const char *group, struct search *s)
{
	size_t root = strlen(mount);

	if (snprintf(s->group, sizeof(s->group), "%s%s", mount, strcmp(group, "/") ? group : "") >=
	    (int)sizeof(s->group))
		return;
	for (;;) {
		char *last = strrchr(s->group + root, '/');

		look_at_group(s);
		if (!last)
			return;
		*last = '\0';
	}
}

uint64_t hugelimit_left(uint64_t page_size, char *file, size_t size)
{
	struct search *s = malloc(sizeof(*s));
	const char *group = NULL;
	uint64_t left = UINT64_MAX;

	if (file && size)
		file[0] = '\0';
	if (!s)
		return left;
	s->page_size = page_size;
	s->left = left;
	s->tightest[0] = '\0';
	if (sys_read_file("/proc/self/cgroup", s->own, sizeof(s->own)) > 0)
		group = own_group(s->own);
	for (size_t i = 0; group && i < sizeof(mounts) / sizeof(mounts[0]); i++)
		look_around(mounts[i], group, s);
	if (file)
		snprintf(file, size, "%s", s->tightest);
	left = s->left;
	free(s);
	return left;
}
