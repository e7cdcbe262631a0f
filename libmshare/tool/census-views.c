/* SPDX-License-Identifier: MIT */
/*
 * What the kernel module counts: for root a list of all views, for others what they may ask about
 * each region.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "align.h"
#include "census.h"
#include "views.h"

#define VIEWS "/sys/kernel/debug/mshare/views"
#define HEADING "uid mode links tables entries faults invalidations flushes device inode file\n"

static void add(uint64_t *figure, uint64_t value)
{
	*figure = (*figure == FIGURE_UNKNOWN ? 0 : *figure) + value;
}

static void count_view(struct census_region *r, const struct mshare_ctl_query *view)
{
	uint64_t table = page_sizes()->base;

	add(&r->figures[FIGURE_ONCE], view->tables * table);
	add(&r->figures[FIGURE_SAVED],
	    view->entries > view->tables ? (view->entries - view->tables) * table : 0);
	add(&r->figures[FIGURE_LINKS], view->links);
	add(&r->figures[FIGURE_FAULTS], view->faults);
	add(&r->figures[FIGURE_INVALIDATIONS], view->invalidations);
	add(&r->figures[FIGURE_FLUSHES], view->flushes);
	r->linked |= view->links > 0;
}

static int read_view(struct census *c, const char *line)
{
	struct mshare_ctl_query view = { 0 };
	unsigned int major_number, minor_number;
	struct census_region *r;
	uint64_t links, tables, entries, faults, invalidations, flushes;
	unsigned long ino;

	if (sscanf(line,
		   "%*u %*s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %x:%x %lu",
		   &links, &tables, &entries, &faults, &invalidations, &flushes, &major_number,
		   &minor_number, &ino) != 9)
		return 0;
	r = census_region(c, makedev(major_number, minor_number), ino, true);
	if (!r)
		return -ENOMEM;
	view.links = links;
	view.tables = tables;
	view.entries = entries;
	view.faults = faults;
	view.invalidations = invalidations;
	view.flushes = flushes;
	count_view(r, &view);
	return 0;
}

/* All views of all users. 1: there is no such list for us; 0 or -ENOMEM. */
static int read_list(struct census *c)
{
	FILE *views = fopen(VIEWS, "re");
	char *line = NULL;
	size_t size = 0;
	int err = 1;

	if (!views)
		return 1;
	if (getline(&line, &size, views) > 0 && !strcmp(line, HEADING))
		err = 0;
	while (!err && getline(&line, &size, views) > 0)
		err = read_view(c, line);
	free(line);
	fclose(views);
	return err;
}

/* Asking takes the right to open the file: -EACCES leaves the figures unknown. */
static void ask(struct census_region *r, int device)
{
	struct mshare_ctl_query view;
	cleanup_fd int fd = census_open(r, O_RDWR);

	if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
		fd = census_open(r, O_RDONLY);
	for (unsigned int i = 0; fd >= 0 && i < VIEW_KINDS; i++) {
		if (!view_ask(device, fd, view_kinds[i].prot, &view))
			count_view(r, &view);
	}
}

int census_views(struct census *c)
{
	cleanup_fd int device = ctl_open();
	int err;

	c->module = device < 0 ? device : 0;
	if (device < 0)
		return 0;
	err = read_list(c);
	for (size_t i = 0; err == 1 && i < c->count; i++) {
		if (c->list[i].memory != MEMORY_HUGETLB)
			ask(&c->list[i], device);
	}
	return err == -ENOMEM ? err : 0;
}
