/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "orphans.h"

/* What goes over into the process that starts the helper, and its answer. */
struct start {
	const char *path;
	char *const *argv;
	char *const *envp;
	const posix_spawn_file_actions_t *files;
	const posix_spawnattr_t *attr;
	int err;
};

const char *host_path(void)
{
	const char *path = sys_getenv("MSHARE_HOST");

	return path && path[0] ? path : MSHARE_HOST_PATH;
}

/* The host has an exclusive lock there for a moment when the last user has gone; see vigil.h. */
#define ANNOUNCE_TRIES 50
#define ANNOUNCE_PAUSE_NS 1000000

int host_announce(int fd)
{
	const struct timespec pause = { 0, ANNOUNCE_PAUSE_NS };
	int err = sys_ofd_lock(fd, false, PRESENCE_BYTE);

	for (int i = 1; err == -EAGAIN && i < ANNOUNCE_TRIES; i++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		err = sys_ofd_lock(fd, false, PRESENCE_BYTE);
	}
	return err;
}

int host_present(int fd)
{
	return sys_ofd_test(fd, HOST_BYTE);
}

/*
 * Runs in a process that shares our memory while this thread is suspended, as after vfork(2).
 * posix_spawn(3) is made for that state: it allocates nothing from the heap and has a stack of its
 * own. Not instrumented, because sanitizers do not know the stack we are on.
 */
__attribute__((no_sanitize("address", "thread", "undefined"))) static int start_apart(void *arg)
{
	struct start *s = arg;
	pid_t pid;

	s->err = -posix_spawn(&pid, s->path, s->files, s->attr, s->argv, s->envp);
	return 0;
}

/* The region becomes descriptor 3; nothing else of the application's stays open in the helper. */
static int prepare_files(posix_spawn_file_actions_t *files, int fd, int status)
{
	int err = posix_spawn_file_actions_adddup2(files, fd, HOST_FD);
	int last = HOST_FD;

	if (!err && status >= 0) {
		last = HOST_STATUS_FD;
		err = posix_spawn_file_actions_adddup2(files, status, last);
	}

	if (!err)
		err = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDWR, 0);
	for (int i = 1; !err && i < HOST_FD; i++)
		err = posix_spawn_file_actions_adddup2(files, 0, i);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(files, last + 1);
	return -err;
}

/* A session of its own, so that a terminal's Ctrl-C does not reach it, and no signal left ignored
 * or blocked by the application. */
static int prepare_attr(posix_spawnattr_t *attr)
{
	sigset_t all, none;
	int err;

	sigfillset(&all);
	sigemptyset(&none);
	err = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						     POSIX_SPAWN_SETSIGMASK);
	if (!err)
		err = posix_spawnattr_setsigdefault(attr, &all);
	if (!err)
		err = posix_spawnattr_setsigmask(attr, &none);
	return -err;
}

/* Of the application's environment only what is ours: no LD_PRELOAD, no malloc settings. */
static char **own_environment(void)
{
	size_t count = 0;
	char **env;

	for (char **e = environ; e && *e; e++)
		count++;
	env = calloc(count + 1, sizeof(*env));
	if (!env)
		return NULL;
	count = 0;
	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, "MSHARE_", 7) == 0)
			env[count++] = *e;
	return env;
}

static int start_with(struct start *s, int fd, int status)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int err = -posix_spawn_file_actions_init(&files);

	if (err)
		return err;
	err = -posix_spawnattr_init(&attr);
	if (err)
		goto no_attr;
	err = prepare_files(&files, fd, status);
	if (!err)
		err = prepare_attr(&attr);
	if (err)
		goto out;
	s->files = &files;
	s->attr = &attr;
	s->err = -ECHILD; /* stays if the process between us is killed */
	err = sys_run_apart(start_apart, s);
	if (!err)
		err = s->err;
out:
	posix_spawnattr_destroy(&attr);
no_attr:
	posix_spawn_file_actions_destroy(&files);
	return err;
}

/* argv ends with NULL; its first is filled in. status: for HOST_STATUS_FD, or -1. */
static int start(int fd, int status, char **argv)
{
	static char name[] = "mshare-host";
	char **env = own_environment();
	struct start s = { .path = host_path(), .argv = argv, .envp = env };
	int err;

	if (!env)
		return -ENOMEM;
	argv[0] = name;
	/* Finding out by starting it would cost a process. */
	err = sys_access_exec(host_path());
	if (!err)
		err = start_with(&s, fd, status);
	free(env);
	debug("start of %s for %s: %d", s.path, argv[1], err);
	return err;
}

int host_ensure(int fd, const char *label)
{
	int err = host_announce(fd);

	if (!err)
		err = host_present(fd);
	if (err)
		return err < 0 ? err : 0;
	if (orphans_stay_here())
		return -EOPNOTSUPP;
	return start(fd, -1, (char *[]){ NULL, (char *)label, NULL });
}

const char *host_reason(int err)
{
	if (err == -EOPNOTSUPP)
		return "this program is process 1 or a child subreaper, and would be its parent: "
		       "docker run --init";
	return strerrordesc_np(-err);
}

/* How long a host may take to appear; it only maps and registers. */
#define TABLES_TIMEOUT_MS 10000

static int read_status(int fd)
{
	char status;
	int got = sys_read_byte(fd, &status, TABLES_TIMEOUT_MS);

	if (got == 0)
		return -EPIPE; /* it died */
	return got < 0 ? got : -(unsigned char)status;
}

int host_start_tables(int fd, const char *label)
{
	char *argv[] = { NULL, (char *)HOST_TABLES, (char *)label, NULL };
	int ends[2];
	int status;
	int err = sys_pipe(ends);

	if (err)
		return err;
	/* Above the numbers it is copied to: neither copy may overwrite the other's source. */
	status = sys_dup_above(ends[1], HOST_STATUS_FD + 1);
	sys_close(ends[1]);
	err = status < 0 ? status : start(fd, status, argv);
	if (status >= 0)
		sys_close(status);
	if (!err)
		err = read_status(ends[0]);
	sys_close(ends[0]);
	return err;
}
