/* SPDX-License-Identifier: MIT */
/*
 * meet-by-name: two programs that know nothing but a name.
 *
 *   meet-by-name serve /NAME    makes the region and waits for one visitor
 *   meet-by-name join /NAME     finds it and says hello
 *   meet-by-name                runs both of the above, as two separate programs
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mshare.h>

enum phase { EMPTY, OPEN, VISITED };

/*
 * A region found by name has its full size from the first moment, but its contents are zero until
 * its maker has filled them in. Hence the phase: stored last, with release; read first, with
 * acquire. Atomics without a lock inside work between processes as they do between threads.
 */
struct meeting {
	atomic_int phase;
	pid_t host;
	pid_t visitor;
};

#define PATIENCE_SECONDS 30

/* The next look in a wait: false once patience is over. A real program would use a futex. */
static bool wait_a_little(time_t *deadline)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (*deadline == 0)
		*deadline = now.tv_sec + PATIENCE_SECONDS;
	nanosleep(&millisecond, NULL);
	return now.tv_sec < *deadline;
}

static bool wait_for_phase(struct meeting *meeting, enum phase phase)
{
	time_t deadline = 0;

	while (atomic_load_explicit(&meeting->phase, memory_order_acquire) != (int)phase)
		if (!wait_a_little(&deadline))
			return false;
	return true;
}

static struct meeting *attach(mshare_t region)
{
	struct meeting *meeting =
		mshare_attach(region, NULL, 0, sizeof(*meeting), PROT_READ | PROT_WRITE, 0);

	if (meeting == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach: %s", mshare_errmsg());
	return meeting;
}

static void serve(const char *name)
{
	mshare_t region = mshare_create(name, sizeof(struct meeting), NULL);
	struct meeting *meeting;
	bool visited;

	/* EEXIST: somebody else serves, or died before unlinking. `mshare list` tells which. */
	if (!region)
		errx(EXIT_FAILURE, "cannot create %s: %s", name, mshare_errmsg());
	meeting = attach(region);
	meeting->host = getpid();
	atomic_store_explicit(&meeting->phase, OPEN, memory_order_release);

	visited = wait_for_phase(meeting, VISITED);
	/* The name is only for meeting: both keep the region until they are done with it. */
	if (mshare_unlink(name) < 0)
		errx(EXIT_FAILURE, "cannot unlink %s: %s", name, mshare_errmsg());
	if (!visited)
		errx(EXIT_FAILURE, "nobody came to %s", name);
	printf("serve: process %d was visited by process %d\n", meeting->host, meeting->visitor);
	mshare_detach(region, meeting, sizeof(*meeting));
	mshare_close(region);
}

/* The other side may start later than we do, so "no such name" is worth another try. */
static mshare_t open_when_there(const char *name)
{
	time_t deadline = 0;
	mshare_t region;

	while (!(region = mshare_open(name, O_RDWR, NULL)) && errno == ENOENT)
		if (!wait_a_little(&deadline))
			break;
	if (!region)
		errx(EXIT_FAILURE, "cannot open %s: %s", name, mshare_errmsg());
	return region;
}

static void join(const char *name)
{
	mshare_t region = open_when_there(name);
	struct meeting *meeting = attach(region);

	if (!wait_for_phase(meeting, OPEN))
		errx(EXIT_FAILURE, "%s is never opened", name);
	printf("join:  process %d visits process %d\n", getpid(), meeting->host);
	meeting->visitor = getpid();
	atomic_store_explicit(&meeting->phase, VISITED, memory_order_release);
	mshare_detach(region, meeting, sizeof(*meeting));
	mshare_close(region);
}

/* execl() leaves nothing of this process behind: the two that meet share no ancestor's mapping. */
static pid_t start(const char *role, const char *name)
{
	pid_t child = fork();

	if (child < 0)
		err(EXIT_FAILURE, "fork");
	if (child == 0) {
		execl("/proc/self/exe", "meet-by-name", role, name, (char *)NULL);
		err(EXIT_FAILURE, "cannot run myself");
	}
	return child;
}

static bool succeeded(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == EXIT_SUCCESS;
}

static int both(void)
{
	char name[64];
	pid_t visitor, host;
	bool met;

	snprintf(name, sizeof(name), "/meet-by-name.%d", getpid());
	visitor = start("join", name); /* first, to show that the order does not matter */
	host = start("serve", name);
	met = succeeded(visitor);
	met = succeeded(host) && met;
	if (mshare_unlink(name) == 0) /* only a host that died half way has left it */
		met = false;
	return met ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return both();
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "join") == 0)
		join(argv[2]);
	else
		errx(2, "usage: meet-by-name [serve|join /NAME]");
	return EXIT_SUCCESS;
}
