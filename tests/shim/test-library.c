/* SPDX-License-Identifier: MIT */
/*
 * libmshare on the module: hosts that are started by many at once, that are killed at any moment,
 * and that readers need as well. Attaching works always.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hosts.h"
#include "view.h"

#define REGION HOSTS_REGION
#define CROWD 20
#define USER 1000

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

static void as_reader(void *name)
{
	struct mshare_stat st;
	mshare_t r;

	check(setgid(USER) == 0 && setuid(USER) == 0);
	r = mshare_open(name, O_RDONLY, NULL);
	check(r);
	bytes_check(mshare_attach(r, NULL, 0, REGION, PROT_READ, 0), REGION, 4);
	st = region_stat(r, 0);
	if (hosts(NULL))
		is_shared(r);
	else
		check(st.backend == MSHARE_BACKEND_PLAIN && strstr(st.reason, "may write"));
}

/* Who can only read cannot host; he shares the tables of a host when there is one. */
static void test_reader_comes_first(void **state)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	char name[NAME_SIZE];
	void *plain, *p;
	mshare_t r;

	(void)state;
	nobody_hosts();
	attr.mode = 0644;
	r = mshare_create(name_make(name, "reader"), REGION, &attr);
	check(r);
	plain = map_plain(mshare_fd(r), REGION, READ_WRITE);
	bytes_fill(plain, REGION, 4);
	child_run(as_reader, name);
	check_equal(hosts(NULL), 0);
	p = region_attach_all(r);
	bytes_check(p, REGION, 4);
	is_shared(r);
	child_run(as_reader, name);
	check(hosts(NULL) > 0);
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

/* The policy of its mappings is that of the task, and one that NUMA balancing leaves alone. */
static void see_policy(pid_t pid)
{
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/numa_maps", pid);
	maps = fopen(path, "re");
	check(maps);
	while (fgets(line, sizeof(line), maps))
		check(strstr(line, " local") || strstr(line, "memfd:"));
	fclose(maps);
}

static void test_host_is_not_balanced(void **state)
{
	mshare_t r;
	char *p;

	(void)state;
	nobody_hosts();
	r = region_make(REGION);
	p = region_attach_all(r);
	is_shared(r);
	check_equal(hosts(see_policy), 1);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
	nobody_hosts();
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
		cmocka_unit_test(test_reader_comes_first),
		cmocka_unit_test(test_host_is_not_balanced),
		cmocka_unit_test(test_chosen_by_itself),
	};

	return HOSTS_MAIN(cases);
}
