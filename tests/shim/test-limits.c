/* SPDX-License-Identifier: MIT */
/*
 * The module's limits: views of one user, links of one view. Root has no limit of views; a fork
 * beyond the limit of links gives a child that may not touch what it inherited, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (2 * SLOT)
#define USER 1000
#define OTHER 1001
#define PARAMETERS "/sys/module/mshare/parameters/"

static char views_before[32], size_before[32], links_before[32];

static void read_parameter(const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = fopen(path, "re");
	check(file && fgets(text, (int)size, file));
	fclose(file);
}

static void set_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	check_equal(write_text(path, value), 0);
}

static int remember(void **state)
{
	(void)state;
	read_parameter("views_per_user", views_before, sizeof(views_before));
	read_parameter("gib_per_user", size_before, sizeof(size_before));
	read_parameter("links_per_view", links_before, sizeof(links_before));
	return 0;
}

static int restore(void **state)
{
	(void)state;
	set_parameter("views_per_user", views_before);
	set_parameter("gib_per_user", size_before);
	set_parameter("links_per_view", links_before);
	return 0;
}

static void become(uid_t user)
{
	check(setgid(user) == 0 && setuid(user) == 0);
}

/* Hosts one more file; the device stays open until this process ends. */
static int host_another(void)
{
	int fd = memory_file(SIZE);
	struct mapping own = { map_plain(fd, SIZE, READ_WRITE), SIZE, fd };

	return view_create(device_open(), fd, &own, READ_WRITE);
}

static void host_three(void *arg)
{
	int device = device_open();
	int fd = memory_file(SIZE);
	struct mapping own = { map_plain(fd, SIZE, READ_WRITE), SIZE, fd };

	become(*(uid_t *)arg);
	check_equal(host_another(), 0);
	check_equal(host_another(), 0);
	check_equal(view_create(device, fd, &own, READ_WRITE), 0);
	check_equal(host_another(), -EUSERS);
	/* One less makes room for one more. */
	close(device);
	check_equal(host_another(), 0);
	check_equal(host_another(), -EUSERS);
}

static void host_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		check_equal(host_another(), 0);
}

/* Each user has his own count, which goes with his processes. */
static void test_views_of_a_user(void **state)
{
	uid_t users[] = { USER, OTHER };

	(void)state;
	set_parameter("views_per_user", "3");
	for (int i = 0; i < 3; i++) {
		child_run(host_three, &users[0]);
		child_run(host_three, &users[1]);
	}
	child_run(host_many, NULL);
}

static int host_gib(size_t gib)
{
	int fd = memory_file(gib * GIB);
	struct mapping own = { map_plain(fd, gib * GIB, READ_WRITE), gib * GIB, fd };

	return view_create(device_open(), fd, &own, READ_WRITE);
}

static void host_large(void *arg)
{
	become(*(uid_t *)arg);
	check_equal(host_gib(4), -EUSERS);
	check_equal(host_gib(2), 0);
	check_equal(host_gib(2), -EUSERS);
	check_equal(host_gib(1), 0);
	check_equal(host_another(), -EUSERS);
}

/* Sparse files cost nothing, views of them do. */
static void test_size_of_views(void **state)
{
	uid_t user = USER;

	(void)state;
	set_parameter("gib_per_user", "3");
	child_run(host_large, &user);
	child_run(host_large, &user);
	child_run(host_many, NULL);
}

struct crowd {
	uid_t user;
	struct signpost full;
	struct signpost leave;
};

static void fill_and_stay(void *arg)
{
	struct crowd *crowd = arg;

	become(crowd->user);
	for (int i = 0; i < 3; i++)
		check_equal(host_another(), 0);
	signpost_raise(&crowd->full);
	signpost_await(&crowd->leave);
}

static void host_one(void *arg)
{
	become(*(uid_t *)arg);
	check_equal(host_another(), 0);
}

static void host_none(void *arg)
{
	become(*(uid_t *)arg);
	check_equal(host_another(), -EUSERS);
}

static void test_views_count_over_processes(void **state)
{
	struct crowd crowd = { .user = USER };
	uid_t other = OTHER;
	pid_t pid;

	(void)state;
	set_parameter("views_per_user", "3");
	signpost_make(&crowd.full);
	signpost_make(&crowd.leave);
	pid = child_start(fill_and_stay, &crowd);
	signpost_await(&crowd.full);
	child_run(host_none, &crowd.user);
	child_run(host_one, &other);
	signpost_raise(&crowd.leave);
	child_wait(pid);
	child_run(host_one, &crowd.user);
	signpost_close(&crowd.full);
	signpost_close(&crowd.leave);
}

static void attach_up_to_two(void *arg)
{
	struct scene *s = arg;
	char *second, *third;

	become(USER);
	/* The link that was inherited is one. */
	second = attach(s->fd, SIZE, READ_WRITE);
	check(try_attach(s->fd, SIZE, READ_WRITE, NULL) == MAP_FAILED && errno == EUSERS);
	pages_check(s->at, SIZE, SCENE_SALT);
	pages_check(second, SIZE, SCENE_SALT);
	detach(second, SIZE);
	third = attach(s->fd, SIZE, READ_WRITE);
	pages_check(third, SIZE, SCENE_SALT);
}

/* With the parent's there are three. */
static void test_links_of_a_view(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	set_parameter("links_per_view", "3");
	child_run(attach_up_to_two, &s);
	set_parameter("links_per_view", "0");
	check(try_attach(s.fd, SIZE, READ_WRITE, NULL) == MAP_FAILED && errno == EUSERS);
	set_parameter("links_per_view", links_before);
	scene_end(&s);
}

static void touch(void *arg)
{
	*(volatile char *)arg;
}

static void kernel_touches(void *at)
{
	int ends[2];

	check(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	check(read(ends[0], at, 1) == -1 && errno == EFAULT);
	check(write(ends[1], at, 1) == -1 && errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
}

static void look_at_smaps(void *at)
{
	check_equal(proc_smaps_bytes(at, "Rss"), 0);
}

/* All that can be done with an attachment, but touching: nothing of it may go wrong. */
static void live_without_link(void *arg)
{
	struct scene *s = arg;

	check_equal(signal_of(touch, s->at), SIGBUS);
	kernel_touches(s->at);
	look_at_smaps(s->at);
	check(madvise(s->at, SIZE, MADV_DONTNEED) == 0);
	check(madvise(s->at, SIZE, MADV_POPULATE_READ) == -1 && errno == EFAULT);
	check(mprotect(s->at, SIZE, PROT_READ) == -1);
	check(mremap(s->at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, reserve(SIZE)) ==
	      MAP_FAILED);
	check(munmap(s->at, SLOT) == -1);
	check_equal(view_query(s->fd, READ_WRITE).links, 1);
	child_run(touch, s); /* its own memory */
	detach(s->at, SIZE);
}

static void live_linked(void *arg)
{
	struct scene *s = arg;

	pages_check(s->at, SIZE, SCENE_SALT);
	check_equal(view_query(s->fd, READ_WRITE).links, 2);
}

static void test_fork_beyond(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	set_parameter("links_per_view", "1");
	for (int i = 0; i < 3; i++)
		child_run(live_without_link, &s);
	check_equal(signal_of(touch, s.at), SIGBUS);
	scene_unharmed(&s);
	check_equal(view_query(s.fd, READ_WRITE).links, 1);
	set_parameter("links_per_view", "2");
	child_run(live_linked, &s);
	set_parameter("links_per_view", links_before);
	scene_end(&s);
}

static void try_to_change(void *arg)
{
	(void)arg;
	become(USER);
	check_equal(write_text(PARAMETERS "views_per_user", "1"), -EACCES);
	check_equal(write_text(PARAMETERS "links_per_view", "1"), -EACCES);
}

static void test_limits_are_roots(void **state)
{
	(void)state;
	child_run(try_to_change, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, remember, restore)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(test_views_of_a_user), CASE(test_views_count_over_processes),
		CASE(test_size_of_views),   CASE(test_links_of_a_view),
		CASE(test_fork_beyond),	    CASE(test_limits_are_roots),
	};

	return SHIM_MAIN(cases);
}
