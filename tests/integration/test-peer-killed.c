/* SPDX-License-Identifier: MIT */
/* SIGKILL of a process at any instant: the others and the bytes are unharmed, and nothing is left
 * behind. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())
#define VICTIMS 25

struct scene {
	struct signpost started;
	mshare_t r;
	char *p; /* first half belongs to the test, second half to the victims */
	char name[NAME_SIZE];
};

/* Starts a victim, lets it run for a moment that differs from round to round, and kills it. */
static void kill_some(struct scene *scene, child_body *body)
{
	signpost_make(&scene->started);
	for (int i = 0; i < VICTIMS; i++) {
		pid_t victim = child_start(body, scene);

		signpost_await(&scene->started);
		usleep((useconds_t)(i * 137 % 3000));
		child_kill(victim);
	}
	signpost_close(&scene->started);
}

static void write_forever(void *arg)
{
	struct scene *scene = arg;

	signpost_raise(&scene->started);
	for (uint64_t salt = 0;; salt++)
		bytes_fill(scene->p + REGION / 2, REGION / 2, salt);
}

static void in_the_middle_of_writing(void **state)
{
	struct scene scene = { .r = region_make(REGION) };

	(void)state;
	scene.p = region_attach_all(scene.r);
	bytes_fill(scene.p, REGION / 2, 7);
	kill_some(&scene, write_forever);
	bytes_check(scene.p, REGION / 2, 7);
	bytes_fill(scene.p, REGION, 8);
	bytes_check(scene.p, REGION, 8);
	region_end(scene.r);
}

static void attach_forever(void *arg)
{
	struct scene *scene = arg;

	signpost_raise(&scene->started);
	for (;;) {
		mshare_t r = mshare_from_fd(mshare_fd(scene->r), NULL);
		char *p = region_attach_all(r);

		p[REGION - 1] = 'v';
		check(mshare_detach(r, p, REGION) == 0);
		region_end(r);
	}
}

static void in_the_middle_of_attaching(void **state)
{
	struct scene scene = { .r = region_make(REGION) };
	char *p;

	(void)state;
	scene.p = region_attach_all(scene.r);
	bytes_fill(scene.p, REGION / 2, 9);
	kill_some(&scene, attach_forever);
	bytes_check(scene.p, REGION / 2, 9);
	check_equal(region_stat(scene.r, 0).attachments, 1);
	p = mshare_attach(scene.r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);
	check(p != MAP_FAILED);
	bytes_check(p, REGION / 2, 9);
	region_end(scene.r);
}

static void create_forever(void *arg)
{
	struct scene *scene = arg;

	signpost_raise(&scene->started);
	for (;;) {
		mshare_t r = mshare_create(scene->name, REGION, NULL);

		check(r || errno == EEXIST);
		if (r)
			region_end(r);
		check(mshare_unlink(scene->name) == 0);
	}
}

/* Either there is nothing by that name afterwards, or one complete region. */
static void in_the_middle_of_creating(void **state)
{
	struct scene scene;

	(void)state;
	name_make(scene.name, "killed");
	signpost_make(&scene.started);
	for (int i = 0; i < VICTIMS; i++) {
		pid_t victim = child_start(create_forever, &scene);
		mshare_t r;

		signpost_await(&scene.started);
		usleep((useconds_t)(i * 137 % 3000));
		child_kill(victim);
		r = mshare_open(scene.name, O_RDWR, NULL);
		check_equal(name_count(scene.name), r ? 1 : 0);
		if (!r)
			continue;
		check_equal(region_size(r), REGION);
		region_end(r);
		check(mshare_unlink(scene.name) == 0);
	}
	signpost_close(&scene.started);
}

static void discard_forever(void *arg)
{
	struct scene *scene = arg;

	signpost_raise(&scene->started);
	for (;;) {
		bytes_fill(scene->p + REGION / 2, REGION / 2, 1);
		check(mshare_flush(scene->r, (off_t)(REGION / 2), 0, MSHARE_FLUSH_DISCARD) == 0);
		check(mshare_flush(scene->r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	}
}

static void in_the_middle_of_flushing(void **state)
{
	struct scene scene = { .r = region_make(REGION) };

	(void)state;
	scene.p = region_attach_all(scene.r);
	bytes_fill(scene.p, REGION / 2, 10);
	kill_some(&scene, discard_forever);
	bytes_check(scene.p, REGION / 2, 10);
	check(mshare_flush(scene.r, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	bytes_check_zero(scene.p, REGION);
	region_end(scene.r);
}

static void make_and_wait(void *arg)
{
	struct scene *scene = arg;
	mshare_t r = mshare_create(scene->name, REGION, NULL);

	check(r);
	bytes_fill(region_attach_all(r), REGION, 11);
	signpost_raise(&scene->started);
	pause();
}

static void creator_dies_name_stays(void **state)
{
	struct scene scene;
	pid_t creator;
	mshare_t r;

	(void)state;
	name_make(scene.name, "creator");
	signpost_make(&scene.started);
	creator = child_start(make_and_wait, &scene);
	signpost_await(&scene.started);
	child_kill(creator);
	r = mshare_open(scene.name, O_RDWR, NULL);
	check(r);
	bytes_check(region_attach_all(r), REGION, 11);
	check(mshare_unlink(scene.name) == 0);
	region_end(r);
	signpost_close(&scene.started);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(in_the_middle_of_writing),
		cmocka_unit_test(in_the_middle_of_attaching),
		cmocka_unit_test(in_the_middle_of_creating),
		cmocka_unit_test(in_the_middle_of_flushing),
		cmocka_unit_test(creator_dies_name_stays),
	};

	return RUN_CASES(cases);
}
