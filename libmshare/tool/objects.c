/* SPDX-License-Identifier: MIT */
#include "objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "host.h"

static enum known known(int answer)
{
	return answer < 0 ? KNOWN_NOT : answer ? KNOWN_YES : KNOWN_NO;
}

/* lstat() has told all there is to tell of what we may not open. */
static void look_inside(struct object *o, const char *path)
{
	cleanup_fd int fd = sys_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

	o->opened = fd >= 0;
	o->in_use = fd < 0 ? KNOWN_NOT : known(sys_ofd_test(fd, PRESENCE_BYTE));
	o->host = fd < 0 ? KNOWN_NOT : known(host_present(fd));
}

static struct object *grow(struct objects *all)
{
	struct object *list = reallocarray(all->list, all->count + 1, sizeof(*list));

	if (!list)
		return NULL;
	all->list = list;
	memset(&list[all->count], 0, sizeof(*list));
	return &list[all->count];
}

static int add(struct objects *all, const char *dir, const char *entry, bool hugetlb)
{
	char path[PATH_MAX];
	struct object *o = grow(all);

	if (!o)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/%s", dir, entry) >= (int)sizeof(path))
		return 0; /* no process can reach it by this path */
	if (sys_stat(path, &o->file) || !S_ISREG(o->file.st_mode))
		return 0; /* gone since, or not an object */
	o->hugetlb = hugetlb;
	o->dir = strdup(dir);
	if (!o->dir || asprintf(&o->name, "/%s", entry) < 0) {
		free(o->dir);
		return -ENOMEM;
	}
	all->count++;
	look_inside(o, path);
	return 0;
}

static int find_in(struct objects *all, const char *path, bool hugetlb)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int err = 0;

	if (!dir) {
		all->unread++;
		return 0;
	}
	while (!err && (entry = readdir(dir)))
		err = add(all, path, entry->d_name, hugetlb);
	closedir(dir);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct object *)a)->name, ((const struct object *)b)->name);
}

int objects_find(struct objects *all)
{
	char dir[PATH_MAX];
	int err;

	*all = (struct objects){ 0 };
	err = find_in(all, BACKING_SHM_DIR, false);
	for (unsigned int i = 0; !err; i++) {
		err = backing_hugetlb_dir(0, i, dir);
		if (!err)
			err = find_in(all, dir, true);
	}
	if (all->count)
		qsort(all->list, all->count, sizeof(*all->list), by_name);
	return err == -ENOENT ? 0 : err; /* no more mounts */
}

void objects_free(struct objects *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->list[i].dir);
		free(all->list[i].name);
	}
	free(all->list);
}
