/* SPDX-License-Identifier: MIT */
/*
 * mshare_protect() while hosts and callers are killed at random moments. Success means everybody; after
 * a failure who attaches anew has what is in force, and nobody an old right. `test-protect-storm
 * [ROUNDS]`.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "hosts.h"
#include "view.h"

#define REGION HOSTS_REGION
#define CREW 3
#define HURRY 4000 /* microseconds: about what a call takes */

static unsigned int rounds = 40;

static void pause_up_to(unsigned int us)
{
	usleep((useconds_t)rand() % us);
}

/* 0, or what it may fail with when its host is killed: the attached are another host's then. */
static int protect(mshare_t r, int prot)
{
	int err = mshare_protect(r, 0, 0, prot) ? errno : 0;

	if (err && err != EBUSY && err != EOPNOTSUPP)
		print_error("protect: %s\n", mshare_errmsg());
	check(!err || err == EBUSY || err == EOPNOTSUPP);
	return err;
}

static void holds(const struct crew *crew, int prot)
{
	size_t off = (size_t)rand() % REGION;

	crew_touch(crew, off, false, prot & PROT_READ ? 0 : SIGSEGV);
	crew_touch(crew, off, true, prot & PROT_WRITE ? 0 : SIGSEGV);
}

static int any_protection(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, READ_WRITE };

	return prots[rand() % 3];
}

static void kill_soon(void *arg)
{
	srand(*(unsigned int *)arg);
	pause_up_to(HURRY);
	hosts(kill_host);
}

/* How many calls succeeded although a host was being killed. */
static unsigned int kill_hosts(mshare_t r, unsigned int seed)
{
	struct crew crew = crew_start(r, CREW, READ_WRITE);
	pid_t killer = child_start(kill_soon, &seed);
	unsigned int successes = 0;

	for (int i = 0; i < 4; i++) {
		int prot = any_protection();

		if (protect(r, prot))
			break;
		holds(&crew, prot);
		successes++;
	}
	child_wait(killer);
	crew_end(&crew);
	return successes;
}

static void test_hosts_are_killed(void **state)
{
	mshare_t r = region_make(REGION);
	unsigned int successes = 0;

	(void)state;
	for (unsigned int i = 0; i < rounds; i++) {
		struct crew fresh;

		successes += kill_hosts(r, i);
		nobody_hosts();
		fresh = crew_start(r, 1, READ_WRITE);
		holds(&fresh, READ_WRITE);
		/* The last of the attachments to a dead host may take a moment to go. */
		check(COMES_TRUE(protect(r, PROT_READ) == 0));
		holds(&fresh, PROT_READ);
		crew_end(&fresh);
	}
	print_message("%u calls succeeded meanwhile\n", successes);
	check(successes > 0);
	region_end(r);
	nobody_hosts();
}

struct caller {
	mshare_t r;
	unsigned int seed;
};

static void call_on_and_on(void *arg)
{
	const struct caller *c = arg;

	srand(c->seed);
	for (;;)
		check_equal(protect(c->r, any_protection()), 0);
}

/* What a killed caller has begun is done or not, for everybody, and the next call holds. */
static void test_callers_are_killed(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew = crew_start(r, CREW, READ_WRITE);

	(void)state;
	for (unsigned int i = 0; i < rounds; i++) {
		struct caller caller = { r, i };
		pid_t pids[2];
		int prot = any_protection();

		for (int j = 0; j < 2; j++)
			pids[j] = child_start(call_on_and_on, &caller);
		pause_up_to(10 * HURRY);
		for (int j = 0; j < 2; j++)
			child_kill(pids[j]);
		/* The host may be at the last request of one of them: ours comes after it. */
		check_equal(protect(r, prot), 0);
		holds(&crew, prot);
	}
	check_equal(protect(r, READ_WRITE), 0);
	crew_end(&crew);
	region_end(r);
	nobody_hosts();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_hosts_are_killed),
		cmocka_unit_test(test_callers_are_killed),
	};

	if (argc > 1)
		rounds = (unsigned int)atoi(argv[1]);
	return HOSTS_MAIN(cases);
}
