/* SPDX-License-Identifier: MIT */
/*
 * libmshare on the module where no host can be started, or the module refuses one more: attaching
 * gives an ordinary mapping, and mshare_stat() says so and why. The next attachment tries again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deny.h"
#include "hosts.h"
#include "view.h"

#define REGION HOSTS_REGION
#define USER 1000
#define PARAMETER "/sys/module/mshare/parameters/links_per_view"

static void without_program(void *path)
{
	mshare_t r = region_make(REGION);

	check(setenv("MSHARE_HOST", path, 1) == 0);
	is_plain_because(r, "no host process");
	check(unsetenv("MSHARE_HOST") == 0);
	check(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) != MAP_FAILED);
	is_shared(r); /* the next try finds what is there now */
}

static void test_no_host_program(void **state)
{
	char *const programs[] = { "/nonexistent/mshare-host", "/", "/etc/passwd",
				   "/usr/bin/false" };

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		child_run(without_program, programs[i]);
	nobody_hosts();
}

static void without_processes(void *arg)
{
	mshare_t r;

	(void)arg;
	check(setgid(USER) == 0 && setuid(USER) == 0);
	r = region_make(REGION);
	check(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 }) == 0);
	is_plain_because(r, "no host process");
}

static void test_no_process_by_rlimit(void **state)
{
	(void)state;
	child_run(without_processes, NULL);
}

#define GROUPS "/sys/fs/cgroup"
#define GROUP GROUPS "/shim-library"

static void in_full_group(void *arg)
{
	mshare_t r = region_make(REGION);
	char pid[16];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	check_equal(write_text(GROUP "/pids.max", "1"), 0);
	check_equal(write_text(GROUP "/cgroup.procs", pid), 0);
	is_plain_because(r, "no host process");
	check_equal(write_text(GROUP "/pids.max", "max"), 0);
	check(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) != MAP_FAILED);
	is_shared(r);
}

static void test_no_process_by_group(void **state)
{
	(void)state;
	check_equal(write_text(GROUPS "/cgroup.subtree_control", "+pids"), 0);
	check(mkdir(GROUP, 0755) == 0 || errno == EEXIST);
	child_run(in_full_group, NULL);
	nobody_hosts();
	check(COMES_TRUE(rmdir(GROUP) == 0));
}

/*
 * The host is gone each time we come to map its view: mmap(2) of the descriptor that comes next but
 * one, after the device's, says so.
 */
static void hosts_always_leave(void *arg)
{
	mshare_t r = region_make(REGION);
	char *first = region_attach_all(r), *p;
	int next = dup(0);

	(void)arg;
	bytes_fill(first, REGION, 3);
	check(next >= 0 && close(next) == 0);
	deny_call_with(SYS_mmap, 4, UINT32_MAX, (uint32_t)next + 1, ENOENT);
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0);
	check(p != MAP_FAILED);
	bytes_check(p, REGION, 3);
	check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_PLAIN);
	check(strstr(region_stat(r, 0).reason, "no host process"));
}

static void test_hosts_always_leave(void **state)
{
	(void)state;
	child_run(hosts_always_leave, NULL);
	nobody_hosts();
}

static char links_before[32];

static int remember(void **state)
{
	FILE *file = fopen(PARAMETER, "re");

	(void)state;
	check(file && fgets(links_before, sizeof(links_before), file));
	fclose(file);
	return 0;
}

static int restore(void **state)
{
	(void)state;
	return write_text(PARAMETER, links_before);
}

static void test_no_more_links(void **state)
{
	mshare_t r = region_make(REGION);
	char *p;

	(void)state;
	check_equal(write_text(PARAMETER, "0"), 0);
	is_plain_because(r, "links_per_view");
	check_equal(write_text(PARAMETER, links_before), 0);
	p = region_attach_all(r);
	is_shared(r);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

/* What is beyond the host's mapping it maps when it is asked to; so does a later host. */
static void test_grown_file(void **state)
{
	mshare_t r = region_make(REGION);
	char *first = region_attach_all(r), *rest;

	(void)state;
	is_shared(r);
	bytes_fill(first, REGION, 8);
	check(ftruncate(mshare_fd(r), (off_t)(2 * GIB)) == 0);
	rest = mshare_attach(r, NULL, (off_t)GIB, REGION, READ_WRITE, 0);
	check(rest != MAP_FAILED);
	is_shared(r);
	bytes_fill(rest, REGION, 9);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_TLB) == 0);
	bytes_check(first, REGION, 8);
	bytes_check(rest, REGION, 9);
	check(mshare_detach(r, first, REGION) == 0 && mshare_detach(r, rest, REGION) == 0);
	nobody_hosts();
	rest = mshare_attach(r, NULL, (off_t)GIB, REGION, READ_WRITE, 0);
	check(rest != MAP_FAILED);
	is_shared(r);
	bytes_check(rest, REGION, 9);
	check(mshare_detach(r, rest, REGION) == 0);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_no_host_program),
		cmocka_unit_test(test_no_process_by_rlimit),
		cmocka_unit_test(test_no_process_by_group),
		cmocka_unit_test_setup_teardown(test_no_more_links, remember, restore),
		cmocka_unit_test(test_grown_file),
		cmocka_unit_test(test_hosts_always_leave),
	};

	return HOSTS_MAIN(cases);
}
