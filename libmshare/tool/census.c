/* SPDX-License-Identifier: MIT */
#include "census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "align.h"
#include "backing.h"

/*
 * Reading smaps has the kernel walk page tables while their process may want to change them. Small
 * ones are walked in no time, and those who save page tables have small ones. Bytes of page tables:
 */
#define BUDGET (32 * MIB)

#define LIBRARY_MEMFD "/memfd:mshare"

struct census_region *census_region(struct census *c, dev_t dev, ino_t ino, bool add)
{
	struct census_region *list;
	struct census_region *r;

	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].ino == ino && c->list[i].dev == dev)
			return &c->list[i];
	}
	if (!add)
		return NULL;
	list = reallocarray(c->list, c->count + 1, sizeof(*list));
	if (!list)
		return NULL;
	c->list = list;
	r = &list[c->count++];
	*r = (struct census_region){ .dev = dev, .ino = ino };
	for (int f = 0; f < FIGURE_COUNT; f++) {
		r->figures[f] = FIGURE_UNKNOWN;
		r->rates[f] = -1;
	}
	return r;
}

static int add_object(struct census *c, const struct object *o)
{
	struct census_region *r = census_region(c, o->file.st_dev, o->file.st_ino, true);

	if (!r)
		return -ENOMEM;
	if (r->name) /* two names of one object: the first will do */
		return 0;
	r->name = strdup(o->name);
	if (!r->name || asprintf(&r->path, "%s%s", o->dir, o->name) < 0) {
		r->path = NULL;
		return -ENOMEM;
	}
	r->memory = o->hugetlb ? MEMORY_HUGETLB : MEMORY_SHMEM;
	r->figures[FIGURE_SIZE] = (uint64_t)o->file.st_size;
	r->figures[FIGURE_USED] = (uint64_t)o->file.st_blocks * 512;
	return 0;
}

static int add_objects(struct census *c)
{
	struct objects all;
	int err = objects_find(&all);

	for (size_t i = 0; !err && i < all.count; i++)
		err = add_object(c, &all.list[i]);
	c->unread_dirs = all.unread;
	objects_free(&all);
	return err;
}

/* Where objects whose names have been removed were: their mappings tell. */
static int find_mounts(struct census *c)
{
	char dir[PATH_MAX];
	int err;

	for (unsigned int i = 0; !(err = backing_hugetlb_dir(0, i, dir)); i++) {
		char **mounts = reallocarray(c->mounts, c->mount_count + 1, sizeof(*mounts));

		if (!mounts)
			return -ENOMEM;
		c->mounts = mounts;
		mounts[c->mount_count] = strdup(dir);
		if (!mounts[c->mount_count])
			return -ENOMEM;
		c->mount_count++;
	}
	return err == -ENOMEM ? err : 0;
}

static void forget(struct census_region *r)
{
	free(r->name);
	free(r->path);
	free(r->attachers);
}

/* Any program may have a memfd: a region is one that the library made, or that is used as one. */
static bool is_region(const struct census_region *r)
{
	return r->name || r->announced || r->host || r->linked || !r->path ||
	       strncmp(r->path, "/memfd:", 7) || !strcmp(r->path, LIBRARY_MEMFD);
}

static void drop_strangers(struct census *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (is_region(&c->list[i]))
			c->list[kept++] = c->list[i];
		else
			forget(&c->list[i]);
	}
	c->count = kept;
}

/* What follows from the rest; nothing is put as 0 that could not be seen. */
static void conclude(const struct census *c, struct census_region *r)
{
	uint64_t *f = r->figures;
	uint64_t views_saved = f[FIGURE_SAVED];

	f[FIGURE_ATTACHERS] = r->attacher_count || !c->unread ? r->attacher_count : FIGURE_UNKNOWN;
	if (!r->attacher_count) {
		f[FIGURE_LINKED] = f[FIGURE_ATTACHERS];
		f[FIGURE_OWN] = f[FIGURE_ATTACHERS];
		f[FIGURE_MINOR_FAULTS] = f[FIGURE_ATTACHERS];
	}
	r->huge = r->huge_bytes > 0;
	if (f[FIGURE_ONCE] == FIGURE_UNKNOWN && !r->linked && r->memory != MEMORY_HUGETLB)
		f[FIGURE_ONCE] = f[FIGURE_ATTACHERS] == FIGURE_UNKNOWN ? FIGURE_UNKNOWN : 0;
	if (r->unmeasured || f[FIGURE_ATTACHERS] == FIGURE_UNKNOWN ||
	    (r->linked && views_saved == FIGURE_UNKNOWN))
		f[FIGURE_SAVED] = FIGURE_UNKNOWN;
	else
		f[FIGURE_SAVED] = (views_saved == FIGURE_UNKNOWN ? 0 : views_saved) +
				  r->huge_bytes / page_sizes()->pmd * page_sizes()->base;
}

static const char *order_key(const struct census_region *r)
{
	return r->name ? r->name : r->path ? r->path : "";
}

static int by_name(const void *a, const void *b)
{
	const struct census_region *x = a;
	const struct census_region *y = b;
	int order = strcmp(order_key(x), order_key(y));

	return order ? order : (x->ino > y->ino) - (x->ino < y->ino);
}

static double read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int census_take(struct census *c, const struct census *before, bool thorough)
{
	int err;

	*c = (struct census){ .time = read_clock(CLOCK_REALTIME),
			      .clock = read_clock(CLOCK_BOOTTIME),
			      .since = -1,
			      .thorough = thorough,
			      .budget = BUDGET };
	err = add_objects(c);
	if (!err)
		err = find_mounts(c);
	if (!err)
		err = census_processes(c);
	if (err)
		return err;
	census_locks(c);
	drop_strangers(c);
	census_files(c);
	err = census_views(c);
	for (size_t i = 0; i < c->count; i++)
		conclude(c, &c->list[i]);
	if (c->count)
		qsort(c->list, c->count, sizeof(*c->list), by_name);
	if (!err && before)
		census_rates(c, before);
	return err;
}

void census_free(struct census *c)
{
	for (size_t i = 0; i < c->count; i++)
		forget(&c->list[i]);
	for (size_t i = 0; i < c->mount_count; i++)
		free(c->mounts[i]);
	free(c->list);
	free(c->mounts);
	*c = (struct census){ 0 };
}

const char *census_backend(const struct census_region *r)
{
	if (r->linked)
		return "shim";
	if (!r->attacher_count && !r->announced)
		return NULL;
	if (r->memory == MEMORY_HUGETLB)
		return "hugetlb";
	return r->announced || r->huge ? "thp" : "plain";
}

const char *census_memory(const struct census_region *r)
{
	static const char *const names[] = {
		[MEMORY_SHMEM] = "shmem",
		[MEMORY_HUGETLB] = "hugetlb",
		[MEMORY_FILE] = "file",
	};

	return names[r->memory];
}
