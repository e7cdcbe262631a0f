/* SPDX-License-Identifier: MIT */
/*
 * libmshare on the module: hosts that are started by many at once, that are killed, and that cannot
 * be started. Attaching works always; where tables are not shared, mshare_stat() says so and why.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "object.h"
#include "view.h"

#define REGION (8 * MIB)
#define CROWD 20
#define USER 1000
#define PARAMETER "/sys/module/mshare/parameters/links_per_view"

/* Calls see() with each mshare-host there is; how many. */
static int hosts(void (*see)(pid_t pid))
{
	DIR *proc = opendir("/proc");
	int count = 0;

	check(proc);
	for (struct dirent *e = readdir(proc); e; e = readdir(proc)) {
		char path[300], name[32] = "";
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		comm = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (!comm)
			continue;
		if (fgets(name, sizeof(name), comm) && strcmp(name, "mshare-host\n") == 0) {
			count++;
			if (see)
				see((pid_t)atoi(e->d_name));
		}
		fclose(comm);
	}
	closedir(proc);
	return count;
}

static void kill_host(pid_t pid)
{
	kill(pid, SIGKILL);
}

static void nobody_hosts(void)
{
	check(COMES_TRUE(hosts(NULL) == 0));
}

static void is_shared(mshare_t r)
{
	struct mshare_stat st = region_stat(r, 0);

	if (st.backend != MSHARE_BACKEND_SHIM)
		fprintf(stderr, "backend %u: %s\n", st.backend, st.reason);
	check_equal(st.backend, MSHARE_BACKEND_SHIM);
	check(st.flags & MSHARE_STAT_F_SHARED_TABLES);
	check(st.flags & MSHARE_STAT_F_HOST);
}

/* An ordinary mapping, for this reason; and an error where shared tables are required. */
static void is_plain_because(mshare_t r, const char *why)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	struct mshare_stat st;
	mshare_t strict;
	char *p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0);

	check(p != MAP_FAILED);
	bytes_fill(p, REGION, 1);
	bytes_check(p, REGION, 1);
	st = region_stat(r, 0);
	check_equal(st.backend, MSHARE_BACKEND_PLAIN);
	check(!(st.flags & MSHARE_STAT_F_SHARED_TABLES));
	if (!strstr(st.reason, why))
		fprintf(stderr, "reason: %s\n", st.reason);
	check(strstr(st.reason, why));
	check(mshare_detach(r, p, REGION) == 0);
	attr.flags = MSHARE_REQUIRE_SHARED_TABLES;
	strict = mshare_from_fd(mshare_fd(r), &attr);
	check(strict);
	check_refused(mshare_attach(strict, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED,
		      EOPNOTSUPP);
	region_end(strict);
}

struct crowd {
	struct signpost start, attached, leave;
	char name[NAME_SIZE];
};

static void join(void *arg)
{
	struct crowd *crowd = arg;
	mshare_t r;
	char *p;

	signpost_await(&crowd->start);
	r = mshare_open(crowd->name, O_RDWR, NULL);
	check(r);
	p = region_attach_all(r);
	is_shared(r);
	bytes_check(p, REGION, 5);
	signpost_raise(&crowd->attached);
	signpost_await(&crowd->leave);
}

/* All find no host, and each starts one: two remain at most, one for each protection. */
static void test_many_start_a_host(void **state)
{
	struct crowd crowd;
	mshare_t r = mshare_create(name_make(crowd.name, "crowd"), REGION, NULL);
	void *plain = map_plain(mshare_fd(r), REGION, READ_WRITE);
	pid_t pids[CROWD];

	(void)state;
	nobody_hosts();
	bytes_fill(plain, REGION, 5);
	signpost_make(&crowd.start);
	signpost_make(&crowd.attached);
	signpost_make(&crowd.leave);
	for (int i = 0; i < CROWD; i++)
		pids[i] = child_start(join, &crowd);
	for (int i = 0; i < CROWD; i++)
		signpost_raise(&crowd.start);
	for (int i = 0; i < CROWD; i++)
		signpost_await(&crowd.attached);
	check_equal(view_query(mshare_fd(r), READ_WRITE).links, CROWD);
	check_equal(region_stat(r, MSHARE_STAT_ATTACHERS).attachers, CROWD + 1);
	check(COMES_TRUE(hosts(NULL) <= 2));
	check(hosts(NULL) >= 1);
	for (int i = 0; i < CROWD; i++)
		signpost_raise(&crowd.leave);
	for (int i = 0; i < CROWD; i++)
		child_wait(pids[i]);
	check(mshare_unlink(crowd.name) == 0);
	munmap(plain, REGION);
	region_end(r);
	nobody_hosts(); /* they leave by themselves */
}

static void test_killed_between_attachments(void **state)
{
	mshare_t r = region_make(REGION);
	char *first = region_attach_all(r);

	(void)state;
	bytes_fill(first, REGION, 6);
	for (int i = 0; i < 10; i++) {
		char *p;

		check(hosts(kill_host) >= 1);
		nobody_hosts();
		p = region_attach_all(r);
		is_shared(r);
		bytes_check(p, REGION, 6);
		bytes_check(first, REGION, 6);
		check(mshare_detach(r, p, REGION) == 0);
	}
	check(munmap(first, REGION) == 0);
	region_end(r);
	nobody_hosts();
}

struct victims {
	mshare_t r;
	_Atomic uint64_t *shared, *plain;
	atomic_bool *stop;
};

static void attach_on_and_on(void *arg)
{
	struct victims *v = arg;

	while (!atomic_load(v->stop)) {
		char *p = mshare_attach(v->r, NULL, 0, REGION, READ_WRITE, 0);

		check(p != MAP_FAILED);
		atomic_fetch_add(region_stat(v->r, 0).backend == MSHARE_BACKEND_SHIM ? v->shared
										     : v->plain,
				 1);
		bytes_check(p, REGION, 7);
		check(mshare_detach(v->r, p, REGION) == 0);
	}
}

/* At any moment of attaching: it never fails, and mostly tables are shared. */
static void test_killed_while_attaching(void **state)
{
	char *memory = shared_memory(PAGE);
	struct victims v = {
		.r = region_make(REGION),
		.shared = (void *)memory,
		.plain = (void *)(memory + 64),
		.stop = (void *)(memory + 128),
	};
	void *plain = map_plain(mshare_fd(v.r), REGION, READ_WRITE);
	pid_t pids[4];

	(void)state;
	bytes_fill(plain, REGION, 7);
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(attach_on_and_on, &v);
	for (int i = 0; i < 100; i++) {
		usleep((useconds_t)(i * 977 % 50000));
		hosts(kill_host);
	}
	atomic_store(v.stop, true);
	for (int i = 0; i < 4; i++)
		child_wait(pids[i]);
	print_message("%llu attachments shared tables, %llu did not\n",
		      (unsigned long long)*v.shared, (unsigned long long)*v.plain);
	check(*v.shared > 0);
	munmap(plain, REGION);
	munmap(memory, PAGE);
	region_end(v.r);
	nobody_hosts();
}

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

static void test_no_more_links(void **state)
{
	mshare_t r = region_make(REGION);
	char before[32], *p;
	FILE *file = fopen(PARAMETER, "re");

	(void)state;
	check(file && fgets(before, sizeof(before), file));
	fclose(file);
	check_equal(write_text(PARAMETER, "0"), 0);
	is_plain_because(r, "links_per_view");
	check_equal(write_text(PARAMETER, before), 0);
	p = region_attach_all(r);
	is_shared(r);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
}

/* What is beyond the host's mapping is attached in the ordinary way; a later host has it all. */
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
	check(strstr(region_stat(r, 0).reason, "grown"));
	check_equal(region_stat(r, 0).backend, MSHARE_BACKEND_PLAIN);
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

static void as_reader(void *name)
{
	mshare_t r;

	check(setgid(USER) == 0 && setuid(USER) == 0);
	r = mshare_open(name, O_RDONLY, NULL);
	check(r);
	bytes_check(mshare_attach(r, NULL, 0, REGION, PROT_READ, 0), REGION, 4);
	is_shared(r);
}

/* The first of all may be one who can only read. */
static void test_reader_comes_first(void **state)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	char name[NAME_SIZE];
	mshare_t r;
	void *plain, *p;

	(void)state;
	attr.mode = 0644;
	r = mshare_create(name_make(name, "reader"), REGION, &attr);
	check(r);
	plain = map_plain(mshare_fd(r), REGION, READ_WRITE);
	bytes_fill(plain, REGION, 4);
	child_run(as_reader, name);
	p = region_attach_all(r);
	bytes_check(p, REGION, 4);
	is_shared(r);
	check(mshare_detach(r, p, REGION) == 0 && munmap(plain, REGION) == 0);
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void choose_freely(void *arg)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t small, file;

	(void)arg;
	check(unsetenv("MSHARE_BACKEND") == 0);
	attr.prefer = MSHARE_PAGES_BASE;
	small = mshare_create(NULL, REGION, &attr);
	file = mshare_from_fd(disk_file(REGION), NULL);
	check(small && file);
	check(mshare_attach(small, NULL, 0, REGION, READ_WRITE, 0) != MAP_FAILED);
	check(mshare_attach(file, NULL, 0, REGION, READ_WRITE, 0) != MAP_FAILED);
	is_shared(small);
	is_shared(file);
}

/* Nobody asked for it by name: it is what is best for memory in base pages, and for files. */
static void test_chosen_by_itself(void **state)
{
	(void)state;
	child_run(choose_freely, NULL);
	nobody_hosts();
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_many_start_a_host),
		cmocka_unit_test(test_killed_between_attachments),
		cmocka_unit_test(test_killed_while_attaching),
		cmocka_unit_test(test_no_host_program),
		cmocka_unit_test(test_no_process_by_rlimit),
		cmocka_unit_test(test_no_process_by_group),
		cmocka_unit_test(test_no_more_links),
		cmocka_unit_test(test_grown_file),
		cmocka_unit_test(test_reader_comes_first),
		cmocka_unit_test(test_chosen_by_itself),
	};

	setenv("MSHARE_BACKEND", "shim", 1);
	setenv("MSHARE_TEST_DIR", "/scratch", 0);
	names_guard();
	return SHIM_MAIN(cases);
}
