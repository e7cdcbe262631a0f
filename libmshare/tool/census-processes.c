/* SPDX-License-Identifier: MIT */
/* Who maps what: /proc/PID/maps of all processes. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "census.h"
#include "parse.h"

#define HELPER_NAME "mshare-host"
#define DELETED " (deleted)"

/* A process with more page tables than this has not got huge pages, and a walk would be long. */
#define SMALL_TABLES MIB

static bool is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return !strncmp(path, dir, length) && path[length] == '/';
}

/* Whether a mapping is one of a region, as far as its path tells; see is_region(). */
static bool may_be_region(const struct census *c, const struct mapping *m)
{
	if (m->linked || !strncmp(m->path, "/memfd:", 7) || is_below(m->path, BACKING_SHM_DIR))
		return true;
	for (size_t i = 0; i < c->mount_count; i++) {
		if (is_below(m->path, c->mounts[i]))
			return true;
	}
	return false;
}

static int remember(struct census_region *r, const struct mapping *m, pid_t pid)
{
	if (r->seen_in != pid) {
		r->seen_in = pid;
		r->seen_linked = false;
		r->seen_plain = false;
	}
	if (m->linked) {
		r->seen_linked = true;
		return 0;
	}
	r->seen_plain = true;
	r->map_pid = pid;
	r->map_start = m->start;
	r->map_end = m->end;
	if (!r->path) {
		mapping_cut_end(m->path, DELETED);
		r->path = strdup(m->path);
		if (!r->path)
			return -ENOMEM;
	}
	return 0;
}

/* A helper maps nothing shared but what it serves, whatever file that is. */
static int see(struct census *c, const struct mapping *m, pid_t pid, bool helper)
{
	bool add = helper || may_be_region(c, m);
	struct census_region *r;

	if (!m->ino || !m->shared)
		return 0;
	r = census_region(c, m->dev, m->ino, add);
	if (!r)
		return add ? -ENOMEM : 0;
	return remember(r, m, pid);
}

/* 1: it maps a region; 0: none; -EACCES: not to be looked at; -ESRCH; -ENOMEM. */
static int read_maps(struct census *c, pid_t pid, bool helper)
{
	char path[64];
	char *line = NULL;
	size_t size = 0;
	struct mapping m;
	int err = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == EACCES || errno == EPERM ? -EACCES : -ESRCH;
	while (!err && getline(&line, &size, maps) > 0) {
		if (mapping_parse(line, &m))
			err = see(c, &m, pid, helper);
	}
	free(line);
	fclose(maps);
	for (size_t i = 0; !err && i < c->count; i++)
		err = c->list[i].seen_in == pid;
	return err;
}

static ssize_t read_of(pid_t pid, const char *what, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	return sys_read_file(path, text, size);
}

static void read_command(pid_t pid, char *name, size_t size)
{
	if (read_of(pid, "comm", name, size) <= 0)
		name[0] = '\0';
	mapping_cut_end(name, "\n");
}

static bool is_helper(pid_t pid)
{
	char name[32];

	read_command(pid, name, sizeof(name));
	return !strcmp(name, HELPER_NAME);
}

/* What a process costs; it may be gone by now: -ESRCH. */
struct costs {
	uint64_t tables;
	uint64_t minor_faults;
	uint64_t started;
};

/* Its name, in parentheses, may hold anything; the fields behind it are numbers. */
static int read_costs(pid_t pid, struct costs *costs)
{
	char text[4096];
	const char *rest;

	if (read_of(pid, "status", text, sizeof(text)) <= 0 ||
	    parse_proc_kib(text, "VmPTE", &costs->tables) ||
	    read_of(pid, "stat", text, sizeof(text)) <= 0)
		return -ESRCH;
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %*u %*u %*u %*u %*d %*d"
			    " %*d %*d %*d %*d %" SCNu64,
			    &costs->minor_faults, &costs->started) != 2)
		return -ESRCH;
	return 0;
}

static void add_to(uint64_t *figure, uint64_t value)
{
	*figure = (*figure == FIGURE_UNKNOWN ? 0 : *figure) + value;
}

static int count_attacher(struct census_region *r, pid_t pid, const struct costs *costs)
{
	struct attacher *list = reallocarray(r->attachers, r->attacher_count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	r->attachers = list;
	if (!r->attacher_count)
		read_command(pid, r->command, sizeof(r->command));
	list[r->attacher_count++] = (struct attacher){ pid, costs->started, costs->minor_faults };
	add_to(&r->figures[FIGURE_LINKED], r->seen_linked);
	add_to(&r->figures[FIGURE_OWN], costs->tables);
	add_to(&r->figures[FIGURE_MINOR_FAULTS], costs->minor_faults);
	r->linked |= r->seen_linked;
	if (!r->witness)
		r->witness = pid;
	return 0;
}

/* Page tables of this process that a huge page does without, unless finding out would cost it. */
static void measure(struct census *c, pid_t pid, const struct costs *costs)
{
	bool walk = c->thorough || (costs->tables <= SMALL_TABLES && costs->tables <= c->budget);

	if (!c->thorough && walk)
		c->budget -= costs->tables;
	if (walk) {
		census_huge(c, pid);
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		c->list[i].unmeasured |= c->list[i].seen_in == pid && c->list[i].seen_plain;
}

static int count_process(struct census *c, pid_t pid)
{
	struct costs costs;
	bool plain = false;
	int err = 0;

	if (read_costs(pid, &costs))
		return 0; /* it has just ended */
	for (size_t i = 0; !err && i < c->count; i++) {
		if (c->list[i].seen_in == pid) {
			plain |= c->list[i].seen_plain;
			err = count_attacher(&c->list[i], pid, &costs);
		}
	}
	if (!err && plain)
		measure(c, pid, &costs);
	return err;
}

static void mark_hosted(struct census *c, pid_t pid)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].seen_in == pid) {
			c->list[i].host = true;
			c->list[i].witness = pid;
		}
	}
}

static int look_at(struct census *c, pid_t pid)
{
	bool helper = is_helper(pid);
	int found = read_maps(c, pid, helper);

	c->unread += found == -EACCES;
	c->processes += found >= 0;
	if (found <= 0)
		return found == -ENOMEM ? found : 0;
	if (!helper)
		return count_process(c, pid);
	mark_hosted(c, pid);
	return 0;
}

int census_processes(struct census *c)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int err = 0;

	if (!proc) {
		c->unread = 1; /* all of them, however many: nobody is known to be there */
		return 0;
	}
	while (!err && (entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			err = look_at(c, atoi(entry->d_name));
	}
	closedir(proc);
	return err;
}
