/* SPDX-License-Identifier: MIT */
/*
 * mshare_handover() and who is charged: a region outlives the control group it was made in. And who
 * may do it: the kernel's rules for control groups, nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hosts.h"
#include "verify.h"

#define REGION (64 * MIB)
#define HALF (REGION / 2)
#define SLACK (4 * MIB) /* the kernel charges in batches, and tables are charged as well */
#define GROUPS "/sys/fs/cgroup/mshare-groups"
#define FROM GROUPS "/from"
#define TO GROUPS "/to"
#define USER 1000
#define FAULTING 4
#define ROUNDS 100

static void make_groups(void)
{
	check(mkdir(GROUPS, 0755) == 0);
	check_equal(write_text(GROUPS "/cgroup.subtree_control", "+memory"), 0);
	check(mkdir(FROM, 0755) == 0 && mkdir(TO, 0755) == 0);
}

static void remove_groups(void)
{
	rmdir(FROM); /* some cases have removed it */
	check(COMES_TRUE(rmdir(TO) == 0));
	check(COMES_TRUE(rmdir(GROUPS) == 0));
}

struct member {
	const char *group;
	mshare_t r; /* to attach, or NULL */
	struct signpost ready;
	pid_t pid;
};

static void be_member(void *arg)
{
	struct member *m = arg;
	char procs[128];

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", m->group);
	check_equal(write_text(procs, "0"), 0);
	if (m->r) {
		region_attach_all(m->r);
		is_shared(m->r);
	}
	signpost_raise(&m->ready);
	for (;;)
		pause();
}

/* A process in a group, which attaches the region there: its host is born there. */
static struct member member_start(const char *group, mshare_t r)
{
	struct member m = { .group = group, .r = r };

	signpost_make(&m.ready);
	m.pid = child_start(be_member, &m);
	signpost_await(&m.ready);
	signpost_close(&m.ready);
	return m;
}

static bool is_in(pid_t pid, const char *group)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	check(file && fgets(line, sizeof(line), file));
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line + strlen("0::"), group + strlen("/sys/fs/cgroup")) == 0;
}

static pid_t host_of(mshare_t r)
{
	return region_stat(r, 0).host_pid;
}

/* All of a group, as systemd does in the end when it stops a service. */
static void kill_group(const char *group, const struct member *m)
{
	char path[128];
	int status;

	snprintf(path, sizeof(path), "%s/cgroup.kill", group);
	check_equal(write_text(path, "1"), 0);
	check(waitpid(m->pid, &status, 0) == m->pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_charged_before_and_after(void **state)
{
	mshare_t r = region_make(REGION);
	struct member first, heir;
	uint64_t from, to;
	pid_t host;
	char *p, *q;

	(void)state;
	make_groups();
	first = member_start(FROM, r);
	heir = member_start(TO, NULL);
	host = host_of(r);
	check(is_in(host, FROM));
	p = region_attach_all(r);
	from = number_in(FROM "/memory.current");
	bytes_fill(p, HALF, 1);
	check(number_in(FROM "/memory.current") >= from + HALF - SLACK);
	check(mshare_handover(r, heir.pid) == 0);
	check(is_in(host, TO) && is_in(first.pid, FROM));
	from = number_in(FROM "/memory.current");
	to = number_in(TO "/memory.current");
	bytes_fill(p + HALF, HALF, 2);
	check(number_in(TO "/memory.current") >= to + HALF - SLACK);
	check(number_in(FROM "/memory.current") <= from + SLACK);
	check(number_in(FROM "/memory.current") >= from - SLACK); /* what is there stays charged */
	print_message("second half: from %llu to %llu, to %llu to %llu bytes\n",
		      (unsigned long long)from,
		      (unsigned long long)number_in(FROM "/memory.current"), (unsigned long long)to,
		      (unsigned long long)number_in(TO "/memory.current"));
	kill_group(FROM, &first);
	check(COMES_TRUE(rmdir(FROM) == 0));
	check_equal(host_of(r), host);
	q = region_attach_all(r);
	is_shared(r);
	bytes_check(q, HALF, 1);
	bytes_check(q + HALF, HALF, 2);
	check_equal(host_of(r), host);
	check(mshare_protect(r, 0, 0, PROT_READ) == 0 && mshare_protect(r, 0, 0, READ_WRITE) == 0);
	check(munmap(p, REGION) == 0 && munmap(q, REGION) == 0);
	child_kill(heir.pid);
	region_end(r);
	nobody_hosts();
	remove_groups();
}

/* The group it was handed to ends it; another one is handed over in its place. */
static void test_host_has_died(void **state)
{
	mshare_t r = region_make(REGION);
	struct member heir;
	char *p, *q;
	pid_t host;

	(void)state;
	make_groups();
	p = region_attach_all(r);
	bytes_fill(p, HALF, 3);
	host = host_of(r);
	heir = member_start(TO, NULL);
	check(mshare_handover(r, heir.pid) == 0);
	kill_group(TO, &heir);
	check(COMES_TRUE(host_of(r) == 0));
	bytes_check(p, HALF, 3);
	bytes_fill(p + HALF, HALF, 4);
	heir = member_start(FROM, NULL);
	check(mshare_handover(r, heir.pid) == 0);
	q = region_attach_all(r);
	is_shared(r);
	check(host_of(r) > 0 && host_of(r) != host);
	check(is_in(host_of(r), FROM));
	bytes_check(q, HALF, 3);
	bytes_check(q + HALF, HALF, 4);
	check(munmap(p, REGION) == 0 && munmap(q, REGION) == 0);
	child_kill(heir.pid);
	region_end(r);
	nobody_hosts();
	remove_groups();
}

struct attempt {
	mshare_t r;
	pid_t pid;
	const char *refused; /* part of the sentence, or NULL: it is done */
};

static void try_as_user(void *arg)
{
	const struct attempt *a = arg;

	check(setgid(USER) == 0 && setuid(USER) == 0);
	if (!a->refused) {
		check(mshare_handover(a->r, a->pid) == 0);
		return;
	}
	check_refused(mshare_handover(a->r, a->pid) == -1, EACCES);
	if (!strstr(mshare_errmsg(), a->refused))
		fprintf(stderr, "%s\n", mshare_errmsg());
	check(strstr(mshare_errmsg(), a->refused));
}

static void give_to_user(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	check(chown(path, USER, USER) == 0);
}

/* The group, then also the one around it and the host's: with both it is the user's affair. */
static void test_rights(void **state)
{
	mshare_t r = region_make(REGION);
	struct member first, heir;
	struct attempt attempt = { .r = r };
	pid_t host;

	(void)state;
	make_groups();
	first = member_start(FROM, r);
	heir = member_start(TO, NULL);
	host = host_of(r);
	attempt.pid = heir.pid;
	attempt.refused = "no right to write to cgroup.procs";
	child_run(try_as_user, &attempt);
	give_to_user(TO);
	attempt.refused = "of the group around both";
	child_run(try_as_user, &attempt);
	check(is_in(host, FROM));
	give_to_user(GROUPS);
	attempt.refused = NULL;
	child_run(try_as_user, &attempt);
	check(is_in(host, TO));
	child_kill(first.pid);
	child_kill(heir.pid);
	region_end(r);
	nobody_hosts();
	remove_groups();
}

struct faulting {
	mshare_t r;
	char *p;
	int number;
	atomic_bool *stop;
	atomic_uint *rounds;
};

/* Each has a part of its own, which is empty again and again. */
static void fault_on_and_on(void *arg)
{
	const struct faulting *f = arg;
	const size_t size = REGION / FAULTING / 8, off = size * (size_t)f->number;

	for (uint64_t salt = 1; !atomic_load(f->stop); salt++) {
		bytes_fill(f->p + off, size, salt);
		bytes_check(f->p + off, size, salt);
		check(mshare_flush(f->r, (off_t)off, size, MSHARE_FLUSH_DISCARD) == 0);
		bytes_check_zero(f->p + off, size);
		atomic_fetch_add(f->rounds, 1);
	}
}

static void test_while_processes_fault(void **state)
{
	char *memory = shared_memory(PAGE);
	struct faulting f = {
		.r = region_make(REGION),
		.stop = (void *)memory,
		.rounds = (void *)(memory + 64),
	};
	pid_t pids[FAULTING], host;
	struct member from, to;

	(void)state;
	make_groups();
	f.p = region_attach_all(f.r);
	host = host_of(f.r);
	from = member_start(FROM, NULL);
	to = member_start(TO, NULL);
	for (f.number = 0; f.number < FAULTING; f.number++)
		pids[f.number] = child_start(fault_on_and_on, &f);
	check(COMES_TRUE(atomic_load(f.rounds) >= FAULTING));
	for (int i = 0; i < ROUNDS; i++) {
		check(mshare_handover(f.r, i % 2 ? from.pid : to.pid) == 0);
		check(is_in(host, i % 2 ? FROM : TO));
	}
	print_message("%d handovers, %u rounds of faults\n", ROUNDS, atomic_load(f.rounds));
	atomic_store(f.stop, true);
	for (int i = 0; i < FAULTING; i++)
		child_wait(pids[i]);
	check_equal(host_of(f.r), host);
	child_kill(from.pid);
	child_kill(to.pid);
	munmap(memory, PAGE);
	check(munmap(f.p, REGION) == 0);
	region_end(f.r);
	nobody_hosts();
	remove_groups();
}

static void see_no_host(void *r)
{
	check_equal(view_query(mshare_fd(r), READ_WRITE).host, 0);
	check_equal(region_stat(r, 0).host_pid, 0);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_HOST);
	check_refused(mshare_handover(r, 0) == -1, EOPNOTSUPP);
	check(strstr(mshare_errmsg(), "PID namespace"));
}

static void in_a_pid_namespace(void *r)
{
	check(unshare(CLONE_NEWPID) == 0);
	child_run(see_no_host, r);
}

/* A number that means another process there, or none, is not told. */
static void test_pid_namespace(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r);

	(void)state;
	child_run(in_a_pid_namespace, r);
	check(host_of(r) > 0);
	check(munmap(p, REGION) == 0);
	region_end(r);
	nobody_hosts();
}

/* The number is that of the process, whichever host it is. */
static void test_number_of_a_host(void **state)
{
	int fd = memory_file(SLOT);
	struct host host = host_start(fd, SLOT, READ_WRITE);

	(void)state;
	check_equal(view_query(fd, READ_WRITE).host, host.pid);
	host_leaves(&host);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_number_of_a_host),
		cmocka_unit_test(test_charged_before_and_after),
		cmocka_unit_test(test_host_has_died),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_while_processes_fault),
		cmocka_unit_test(test_pid_namespace),
	};

	return HOSTS_MAIN(cases);
}
