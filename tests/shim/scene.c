/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <stdio.h>
#include <unistd.h>

struct scene scene_make_of(int fd, size_t size)
{
	struct scene s = { .fd = fd, .size = size };

	s.host = host_start(s.fd, size, READ_WRITE);
	s.at = attach(s.fd, size, READ_WRITE);
	pages_fill(s.at, size, SCENE_SALT);
	return s;
}

struct scene scene_make(size_t size)
{
	return scene_make_of(memory_file(size), size);
}

void scene_unharmed(const struct scene *s)
{
	check(fsync(s->fd) == 0); /* writing it back later would empty slots */
	pages_check(s->at, s->size, SCENE_SALT);
	pages_check_file(s->fd, s->size, SCENE_SALT);
	if (!s->huge)
		check_equal(view_query(s->fd, READ_WRITE).tables, s->size / SLOT);
}

void scene_end(struct scene *s)
{
	struct mshare_ctl_query query;
	int user;

	scene_unharmed(s);
	/* Keeps the host from leaving before it has been asked. */
	user = view_attach(s->fd, READ_WRITE);
	check(user >= 0);
	detach(s->at, s->size);
	query = view_query(s->fd, READ_WRITE);
	close(user);
	check_equal(query.links, 0);
	check_equal(query.tables, 0);
	check_equal(query.entries, 0);
	host_leaves(&s->host);
	close(s->fd);
}

struct deed {
	const struct scene *scene;
	scene_act *act;
	bool linked;
};

static void do_deed(void *arg)
{
	const struct deed *deed = arg;
	const struct scene *s = deed->scene;
	char *at = attach(s->fd, s->size, READ_WRITE);

	if (deed->linked)
		pages_check(at, s->size, SCENE_SALT);
	deed->act(s, at);
	pages_check(at, s->size, SCENE_SALT);
	detach(at, s->size);
}

void scene_apart(size_t size, scene_act *act, bool linked)
{
	struct scene s = scene_make(size);
	struct deed deed = { &s, act, linked };

	child_run(do_deed, &deed);
	scene_end(&s);
}

void scene_verify_on_and_on(void *scene)
{
	const struct scene *s = scene;

	for (;;) {
		pages_check(s->at, s->size, SCENE_SALT);
		pages_fill(s->at, s->size, SCENE_SALT);
	}
}

/* Lines after the heading. */
static size_t views(void)
{
	FILE *file = fopen("/sys/kernel/debug/mshare/views", "re");
	size_t lines = 0;
	char line[512];

	check(file);
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	check(lines > 0);
	return lines - 1;
}

int scene_check_no_views(void **state)
{
	(void)state;
	return COMES_TRUE(views() == 0) ? 0 : -1;
}
