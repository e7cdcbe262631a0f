/* SPDX-License-Identifier: MIT */
/*
 * Who pays for the memory of a region: the host's cgroup as long as the host lives, and then the
 * cgroup of the process that touches it first. Never nobody.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (64 * MIB)
#define LIMIT "33554432"
#define GROUP "/sys/fs/cgroup/shim-charged"

static void enter_group(void)
{
	char pid[16];

	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	check_equal(write_text(GROUP "/memory.max", LIMIT), 0);
	write_text(GROUP "/memory.swap.max", "0"); /* kernels without swap accounting have none */
	snprintf(pid, sizeof(pid), "%d", getpid());
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
}

static void touch_all(void *arg)
{
	const struct scene *s = arg;

	enter_group();
	pages_fill(s->at, SIZE, SCENE_SALT);
}

/* Half of the memory fits. */
static void test_a_killed_hosts_memory_is_paid_by_who_touches_it(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	host_kill(&s.host);
	check_equal(signal_of(touch_all, &s), SIGKILL);
	check_equal(counter(GROUP "/memory.events", "oom_kill"), 1);
	detach(s.at, SIZE);
	close(s.fd); /* what is charged to the group goes with it */
	check(COMES_TRUE(rmdir(GROUP) == 0));
}

static void test_a_living_host_pays(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	s.host = host_start(s.fd, SIZE, READ_WRITE);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	check_equal(signal_of(touch_all, &s), 0);
	check_equal(counter(GROUP "/memory.events", "oom_kill"), 0);
	scene_end(&s);
	check(COMES_TRUE(rmdir(GROUP) == 0));
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_a_killed_hosts_memory_is_paid_by_who_touches_it),
		cmocka_unit_test(test_a_living_host_pays),
	};

	return SHIM_MAIN(cases);
}
