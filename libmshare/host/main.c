/* SPDX-License-Identifier: MIT */
/* mshare-host: the helper process of one region. Started by the library; see serve.h for its work.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "caps.h"
#include "host.h"
#include "log.h"
#include "serve.h"
#include "tables.h"

enum exit_code {
	EXIT_DONE = 0, /* nobody uses the region any more, or it has another host */
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"usage: mshare-host LABEL 3<>OBJECT\n"
	"       mshare-host tables LABEL 3<>OBJECT 4>STATUS\n"
	"\n"
	"Makes huge pages of the filled parts of a shared memory region and leaves when nobody uses\n"
	"the region any more. libmshare starts it when it is needed; there is no reason to run it by\n"
	"hand. Descriptor 3 is the region's backing object; LABEL is shown by ps(1).\n"
	"With \"tables\" it is the process whose page tables the kernel module shares: it maps the\n"
	"object, registers the mapping, writes a byte to descriptor 4 (0, or an errno) and stays until\n"
	"no process is attached.\n"
	"\n"
	"It may be killed at any time: the region and its users are unharmed, what is filled later\n"
	"stays in base pages until somebody starts another host.\n"
	"\n"
	"Exit status: 0 nobody uses the region, it has another host, or a signal said to leave;\n"
	"1 it cannot be served (no right to write to it, no memory); 2 wrong usage.\n";

static int failed(const char *what, int err)
{
	fprintf(stderr, "mshare-host: %s: %s\n", what, strerror(-err));
	return EXIT_FAILED;
}

/*
 * Whoever fills the region may have started us with every right there is; this work needs none.
 * Done before the object is opened, so that what we can open is what mincore(2) tells us about.
 */
static int give_up_rights(void)
{
	int err = caps_drop_all();

	if (!err)
		err = (int)sys_result(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (!err)
		err = (int)sys_result(chdir("/"));
	return err;
}

/*
 * Descriptions of our own. The one we were given is the application's: while we kept it, its
 * presence lock would stay, and we would wait for ourselves.
 */
static int reopen(int *lock_fd, int *view_fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", HOST_FD);
	*lock_fd = sys_open(path, O_RDWR, 0);
	if (*lock_fd < 0)
		return *lock_fd;
	*view_fd = sys_open(path, O_RDONLY, 0);
	if (*view_fd < 0)
		return *view_fd;
	return sys_close(HOST_FD);
}

static void leave(int number)
{
	(void)number;
	_exit(EXIT_DONE);
}

/*
 * Being told to leave is no failure, and we keep nothing that would have to be brought to an end.
 * Whoever inherits us may take a death by signal for the crash of a child of its own.
 */
static void leave_when_told(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	const struct sigaction action = { .sa_handler = leave };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)sigaction(numbers[i], &action, NULL);
}

/*
 * The program may be one that no other may disturb, with a real-time policy or a better priority.
 * Our work can wait. What cannot be changed stays, and so do the processors that somebody has
 * confined the program to.
 */
static void stand_back(void)
{
	const struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	if (getpriority(PRIO_PROCESS, 0) < 0)
		(void)setpriority(PRIO_PROCESS, 0, 0);
}

static int host_object(void)
{
	int lock_fd, view_fd;
	int err;

	stand_back();
	err = give_up_rights();
	if (err)
		return failed("cannot give up its rights", err);
	err = reopen(&lock_fd, &view_fd);
	if (err)
		return failed("cannot open the region", err);
	err = sys_ofd_lock(lock_fd, true, HOST_BYTE);
	if (!err)
		err = serve(lock_fd, view_fd);
	return err && err != -EAGAIN ? failed("cannot serve the region", err) : EXIT_DONE;
}

/*
 * NUMA balancing leaves tasks with a policy of their own alone: each of its scans would take the
 * tables away from all who are attached. Where the call is forbidden, or there are no nodes, little
 * is lost.
 */
static void leave_pages_where_they_are(void)
{
	(void)sys_set_mempolicy_local();
}

static int host_tables(void)
{
	int err = give_up_rights();

	leave_pages_where_they_are();
	if (!err)
		err = tables_serve(HOST_FD, HOST_STATUS_FD);
	return err ? failed("cannot host page tables", err) : EXIT_DONE;
}

/* The library gives us nothing but 0 to 3; started in another way we keep nothing else either. */
static bool is_given_object(int last)
{
	struct stat st;

	close_range((unsigned int)last + 1, ~0u, 0);
	return sys_fstat(HOST_FD, &st) == 0 && S_ISREG(st.st_mode);
}

/* A region may have any name: given one, the label is never an option. */
int main(int argc, char **argv)
{
	leave_when_told();
	if (argc == 3 && strcmp(argv[1], HOST_TABLES) == 0 && is_given_object(HOST_STATUS_FD))
		return host_tables();
	if (argc == 2 && is_given_object(HOST_FD))
		return host_object();
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_DONE;
	}
	fprintf(stderr, "mshare-host: descriptor %d is not a shared memory object\n\n%s", HOST_FD,
		usage);
	return EXIT_USAGE;
}
