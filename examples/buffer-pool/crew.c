/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mshare.h>

#include "worker.h"

struct crew {
	const struct crew_plan *plan;
	struct crew_result *result;
	mshare_t region; /* of the board */
	struct board *board;
	pid_t pids[POOL_USERS_MAX]; /* 0: not running */
	bool was_killed[POOL_USERS_MAX];
	unsigned int running;
	unsigned int kills_sent; /* the doomed worker included */
	double started;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool make_board(struct crew *crew)
{
	void *board = MAP_FAILED;

	crew->region = mshare_create(NULL, sizeof(struct board), NULL);
	if (crew->region)
		board = mshare_attach(crew->region, NULL, 0, sizeof(struct board),
				      PROT_READ | PROT_WRITE, 0);
	if (board == MAP_FAILED) {
		warnx("no place for reports: %s", mshare_errmsg());
		mshare_close(crew->region);
		return false;
	}
	crew->board = board;
	return true;
}

static void drop_board(struct crew *crew)
{
	mshare_detach(crew->region, crew->board, sizeof(struct board));
	mshare_close(crew->region);
}

/* The worker inherits the attachments; its page tables for them start out empty. */
static bool start_worker(struct crew *crew, unsigned int id, bool doomed)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0) {
		warn("cannot start worker %u", id);
		return false;
	}
	if (pid == 0) {
		/* No worker outlives the one who would tell it to stop. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		_exit(worker_run(crew->plan, crew->board, id, doomed));
	}
	crew->pids[id] = pid;
	crew->running++;
	return true;
}

static void bury(struct crew *crew, unsigned int id, int status)
{
	crew->pids[id] = 0;
	crew->running--;
	if (WIFEXITED(status)) {
		crew->result->failed += WEXITSTATUS(status) != EXIT_SUCCESS;
		return;
	}
	/* What a database does for a crashed backend: give back what it held, start another. */
	pool_forget_user(crew->plan->pool, id);
	crew->result->killed++;
	crew->was_killed[id] = true;
	if (WTERMSIG(status) != SIGKILL || !start_worker(crew, id, false))
		crew->result->failed++;
}

static void bury_the_dead(struct crew *crew)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int id = 0; id < crew->plan->workers; id++)
			if (crew->pids[id] == pid)
				bury(crew, id, status);
}

static uint64_t requests_so_far(const struct crew *crew)
{
	uint64_t done = 0;

	for (unsigned int id = 0; id < crew->plan->workers; id++)
		done += crew->board->reports[id].requests;
	return done;
}

/* How much of the work is done, 0 to 1. */
static double progress(const struct crew *crew)
{
	const struct crew_plan *plan = crew->plan;

	if (plan->seconds > 0)
		return (now() - crew->started) / plan->seconds;
	return (double)requests_so_far(crew) / ((double)plan->requests * plan->workers);
}

/*
 * Spreads the killings over the run. Whom it hits, and where in its work, is left to chance; only
 * worker 0 is spared, which dies by its own hand.
 */
static void kill_when_due(struct crew *crew)
{
	unsigned int kills = crew->plan->kills;
	unsigned int others = crew->plan->workers - 1;
	unsigned int id;

	if (others == 0 || crew->kills_sent >= kills ||
	    progress(crew) * (kills + 1) < crew->kills_sent + 1)
		return;
	id = 1 + (unsigned int)rand() % others;
	if (crew->pids[id] && kill(crew->pids[id], SIGKILL) == 0)
		crew->kills_sent++;
}

static void sum_up(struct crew *crew)
{
	struct crew_result *result = crew->result;
	unsigned int unharmed = 0;

	for (unsigned int id = 0; id < crew->plan->workers; id++) {
		const struct worker_report *report = &crew->board->reports[id];

		result->requests += report->requests;
		result->misses += report->misses;
		result->wrong += report->wrong;
		if (crew->was_killed[id])
			continue;
		unharmed++;
		result->table_kb += (double)report->table_kb;
		result->faults += (double)report->faults;
	}
	if (unharmed > 0) {
		result->table_kb /= unharmed;
		result->faults /= unharmed;
	}
}

static bool start_all(struct crew *crew)
{
	bool doomed = crew->plan->kills > 0;

	crew->kills_sent = doomed;
	crew->started = now();
	for (unsigned int id = 0; id < crew->plan->workers; id++)
		if (!start_worker(crew, id, doomed && id == 0))
			return false;
	return true;
}

static double cpu_of_children(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void take_time(struct crew *crew)
{
	crew->result->seconds = now() - crew->started;
	crew->result->timely = requests_so_far(crew);
}

static void wait_for_all(struct crew *crew)
{
	const struct timespec tick = { .tv_nsec = 5000000 };

	while (crew->running > 0) {
		nanosleep(&tick, NULL);
		bury_the_dead(crew);
		if (!crew->board->stop)
			take_time(crew);
		if (crew->plan->seconds > 0 && progress(crew) >= 1)
			crew->board->stop = true;
		else
			kill_when_due(crew);
	}
}

bool crew_run(const struct crew_plan *plan, struct crew_result *result)
{
	struct crew crew = { .plan = plan, .result = result };
	double cpu_before = cpu_of_children();
	bool complete;

	*result = (struct crew_result){ 0 };
	if (!make_board(&crew))
		return false;
	complete = start_all(&crew);
	if (!complete)
		crew.board->stop = true;
	wait_for_all(&crew);
	result->cpu_seconds = cpu_of_children() - cpu_before;
	sum_up(&crew);
	drop_board(&crew);
	return complete;
}
