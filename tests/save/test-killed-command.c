/* SPDX-License-Identifier: MIT */
/*
 * `mshare load` that is killed at any moment: the region is whole, or nobody finds it under its name.
 * `test-killed-command [ROUNDS [BACKEND]]`; MSHARE_TOOL is the command, or it is installed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "object.h"
#include "storm.h"

#define REGION (4 * CHUNK)
#define TEMPORARY "/.mshare-load-"

static long rounds = 25;
static char name[NAME_SIZE];

static void run_command(void *unused)
{
	const char *tool = getenv("MSHARE_TOOL");
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)unused;
	check(dup2(nowhere, STDOUT_FILENO) >= 0);
	if (!tool || access(tool, X_OK) != 0)
		tool = "mshare";
	execlp(tool, "mshare", "load", album("image"), name, NULL);
	check(!"the command cannot be started");
}

static void load_and_remove(const struct actor *unused)
{
	(void)unused;
	child_run(run_command, NULL);
	check(mshare_unlink(name) == 0);
}

/* The file that is to become the region, of a process that is stopped. */
static bool temporary_of(pid_t pid, char *target, size_t size)
{
	char dir[64], path[320];
	bool found = false;
	DIR *fds;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	fds = opendir(dir);
	check(fds);
	for (struct dirent *e = readdir(fds); e && !found; e = readdir(fds)) {
		ssize_t length;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		length = readlink(path, target, size - 1);
		if (length > 0) {
			target[length] = '\0';
			found = strstr(target, TEMPORARY) != NULL;
		}
	}
	closedir(fds);
	return found;
}

/* Stopped first, to see what it leaves. Whether it still ran. */
static bool kill_command(pid_t pid)
{
	char temporary[512];
	int status;

	check(kill(pid, SIGSTOP) == 0);
	check(waitpid(pid, &status, WUNTRACED) == pid);
	if (!WIFSTOPPED(status)) {
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		return false;
	}
	if (!temporary_of(pid, temporary, sizeof(temporary)))
		temporary[0] = '\0';
	child_kill(pid);
	unlink(temporary); /* if there is one that it had not removed */
	return true;
}

/* Whether there is a region of that name; then it is whole. */
static bool look(void)
{
	mshare_t r = mshare_open(name, O_RDWR, NULL);
	unsigned char *bytes;

	if (!r) {
		check_equal(errno, ENOENT);
		return false;
	}
	bytes = region_attach_all(r);
	shape_check(bytes, region_size(r), SHAPE_SPARSE, 1);
	region_drop(r, bytes);
	check(mshare_unlink(name) == 0);
	return true;
}

static void commands(void **state)
{
	unsigned char *bytes;
	mshare_t r = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	long killed = 0, complete = 0;
	unsigned int span;

	(void)state;
	album_save(r, "image");
	name_make(name, "killed");
	span = storm_span(load_and_remove, NULL);
	for (long i = 0; i < rounds; i++) {
		pid_t pid = child_start(run_command, NULL);
		bool ran, there;

		usleep((unsigned int)random() % span);
		ran = kill_command(pid);
		there = look();
		check(ran || there);
		killed += ran;
		complete += there;
	}
	printf("%ld of %ld commands killed within %u us; %ld regions, all of them whole\n", killed,
	       rounds, span, complete);
	region_drop(r, bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(commands) };

	rounds = argc > 1 ? atol(argv[1]) : rounds;
	if (argc > 2)
		setenv("MSHARE_BACKEND", argv[2], 1);
	srandom((unsigned int)getpid());
	return rounds > 0 ? RUN_CASES(cases) : 2;
}
