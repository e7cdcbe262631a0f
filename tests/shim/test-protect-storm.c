/* SPDX-License-Identifier: MIT */
/*
 * mshare_protect() while somebody is killed at a random moment, each round somebody else: an
 * attached process, one that is inside the call, or the host. Whoever lives has the rights that the
 * last successful call gave, or, where it was interrupted, that it was about to give; and after the
 * end of a host nobody's change until all have attached anew. `test-protect-storm [ROUNDS [SEED]]`.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "hosts.h"
#include "view.h"

#define REGION HOSTS_REGION
#define CREW 3
#define CALLERS 2
#define PART (REGION / CALLERS) /* each has one of its own */
#define HURRY 8000 /* microseconds: about what two calls take */

enum victim { MEMBER, CALLER, HOST, VICTIMS };

static const char *const names[VICTIMS] = { "attached", "calling", "hosting" };

static unsigned int rounds = 40;
static unsigned int seed;
static unsigned int done[VICTIMS];

/* What a caller tells before and after each call. In memory that outlives it. */
struct notes {
	atomic_bool stop;
	struct {
		atomic_int wanted, given; /* protections */
		atomic_int error;
		atomic_uint successes;
	} of[CALLERS];
};

struct storm {
	mshare_t r;
	struct crew members[CREW]; /* of one process each */
	struct notes *notes;
	int now; /* the protection of all, between the rounds */
};

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&seed) % limit;
}

static int any_protection(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, READ_WRITE };

	return prots[below(3)];
}

/* 0 or what it fails with. */
static int protect(mshare_t r, size_t off, size_t len, int prot)
{
	return mshare_protect(r, (off_t)off, len, prot) ? errno : 0;
}

/* What a process may do there, as it finds out by trying. */
static int rights(const struct crew *member, size_t off)
{
	if (crew_signal(member, off, false))
		return PROT_NONE;
	return crew_signal(member, off, true) ? PROT_READ : READ_WRITE;
}

/* The first byte, the last, and one between. */
static void have(const struct crew *member, size_t off, size_t len, int prot, int or_this)
{
	const size_t at[] = { off, off + len - 1, off + below((unsigned int)len) };

	for (int i = 0; i < 3; i++) {
		int found = rights(member, at[i]);

		if (found != prot && found != or_this)
			print_error("at %zu: %d, not %d or %d\n", at[i], found, prot, or_this);
		check(found == prot || found == or_this);
	}
}

static void all_have(const struct storm *s, int prot)
{
	for (int i = 0; i < CREW; i++)
		have(&s->members[i], 0, REGION, prot, prot);
}

struct caller {
	const struct storm *storm;
	int number;
	unsigned int seed;
};

/* Until it is told to stop, or killed, or without a host. */
static void call_on_and_on(void *arg)
{
	const struct caller *c = arg;
	struct notes *notes = c->storm->notes;

	seed = c->seed;
	while (!atomic_load(&notes->stop)) {
		int prot = any_protection();
		int err;

		atomic_store(&notes->of[c->number].wanted, prot);
		err = protect(c->storm->r, (size_t)c->number * PART, PART, prot);
		if (err) {
			atomic_store(&notes->of[c->number].error, err);
			return;
		}
		atomic_store(&notes->of[c->number].given, prot);
		atomic_fetch_add(&notes->of[c->number].successes, 1);
	}
}

static void callers_start(const struct storm *s, pid_t *pids)
{
	atomic_store(&s->notes->stop, false);
	for (int i = 0; i < CALLERS; i++) {
		struct caller caller = { s, i, (unsigned int)rand_r(&seed) };

		atomic_store(&s->notes->of[i].wanted, s->now);
		atomic_store(&s->notes->of[i].given, s->now);
		atomic_store(&s->notes->of[i].error, 0);
		atomic_store(&s->notes->of[i].successes, 0);
		pids[i] = child_start(call_on_and_on, &caller);
	}
	for (int i = 0; i < CALLERS; i++)
		check(COMES_TRUE(atomic_load(&s->notes->of[i].successes) > 0));
}

/* All but a victim. Without a host they stop by themselves, and only for these reasons. */
static void callers_stop(const struct storm *s, const pid_t *pids, enum victim victim)
{
	atomic_store(&s->notes->stop, true);
	for (int i = victim == CALLER ? 1 : 0; i < CALLERS; i++) {
		int err;

		child_wait(pids[i]);
		err = atomic_load(&s->notes->of[i].error);
		if (err)
			print_message("a call: %s\n", strerrorname_np(err));
		check(!err || (victim == HOST && (err == EBUSY || err == EOPNOTSUPP)));
	}
}

static void kill_one(struct storm *s, const pid_t *callers, enum victim victim)
{
	if (victim == MEMBER)
		crew_kill(&s->members[0]);
	else if (victim == CALLER)
		child_kill_running(callers[0]);
	else
		check_equal(hosts(kill_host), 1);
}

/* A host does what is asked in turn: nothing of those who have stopped is left to be done. */
static void settle(const struct storm *s)
{
	if (mshare_advise(s->r, 0, 0, MSHARE_ADVICE_COLD))
		fail_msg("advise: %s", mshare_errmsg());
}

/* Each part as its own caller has left it. */
static void look(const struct storm *s, enum victim victim)
{
	for (int i = victim == MEMBER ? 1 : 0; i < CREW; i++)
		for (int j = 0; j < CALLERS; j++)
			have(&s->members[i], (size_t)j * PART, PART,
			     atomic_load(&s->notes->of[j].given),
			     atomic_load(&s->notes->of[j].wanted));
}

static void same_for_all(const struct storm *s)
{
	for (int j = 0; j < CALLERS; j++) {
		size_t off = (size_t)j * PART;
		int prot = rights(&s->members[0], off);

		for (int i = 0; i < CREW; i++)
			have(&s->members[i], off, PART, prot, prot);
	}
}

static void attach_anew(struct storm *s, int first)
{
	for (int i = first; i < CREW; i++)
		s->members[i] = crew_start(s->r, 1, READ_WRITE);
}

/* Who is still attached to the dead host keeps others from being protected against it. */
static void all_attach_anew(struct storm *s)
{
	int err = protect(s->r, 0, 0, PROT_READ);

	if (err != EBUSY)
		print_error("without the host: %s\n", err ? mshare_errmsg() : "no failure");
	check_equal(err, EBUSY);
	look(s, HOST);
	for (int i = 0; i < CREW; i++)
		crew_end(&s->members[i]);
	nobody_hosts();
	attach_anew(s, 0);
	all_have(s, READ_WRITE);
	/* The last of the attachments to a dead host may take a moment to go. */
	check(COMES_TRUE(protect(s->r, 0, 0, PROT_READ) == 0));
	all_have(s, PROT_READ);
}

static void recover(struct storm *s, enum victim victim)
{
	if (victim == HOST) {
		all_attach_anew(s);
		return;
	}
	settle(s);
	look(s, victim);
	if (victim == MEMBER)
		s->members[0] = crew_start(s->r, 1, READ_WRITE);
	same_for_all(s); /* also for one who came later */
}

static void one_round(struct storm *s, enum victim victim)
{
	pid_t callers[CALLERS];

	callers_start(s, callers);
	usleep(below(HURRY));
	kill_one(s, callers, victim);
	usleep(below(HURRY));
	callers_stop(s, callers, victim);
	recover(s, victim);
	s->now = any_protection();
	check_equal(protect(s->r, 0, 0, s->now), 0);
	all_have(s, s->now);
	done[victim]++;
}

/* Every three rounds each of them once, in any order. */
static enum victim next_victim(unsigned int round)
{
	static enum victim order[VICTIMS] = { MEMBER, CALLER, HOST };

	if (round % VICTIMS == 0) {
		for (unsigned int i = VICTIMS - 1; i > 0; i--) {
			unsigned int j = below(i + 1);
			enum victim other = order[j];

			order[j] = order[i];
			order[i] = other;
		}
	}
	return order[round % VICTIMS];
}

static void test_anybody_is_killed(void **state)
{
	struct storm s = { .r = region_make(REGION), .now = READ_WRITE };
	time_t begin = time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	s.notes = shared_memory(sizeof(*s.notes));
	attach_anew(&s, 0);
	for (unsigned int i = 0; i < rounds; i++)
		one_round(&s, next_victim(i));
	for (int i = 0; i < VICTIMS; i++)
		print_message("%u %s, ", done[i], names[i]);
	print_message("killed in %ld s\n", (long)(time(NULL) - begin));
	for (int i = 0; i < CREW; i++)
		crew_end(&s.members[i]);
	munmap(s.notes, sizeof(*s.notes));
	region_end(s.r);
	nobody_hosts();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(test_anybody_is_killed) };

	seed = (unsigned int)time(NULL);
	if (argc > 1)
		rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = (unsigned int)strtoul(argv[2], NULL, 10);
	return HOSTS_MAIN(cases);
}
