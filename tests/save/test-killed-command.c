/* SPDX-License-Identifier: MIT */
/*
 * `mshare load` that is killed at any moment: the region is whole, or nobody finds it under its
 * name, and nothing else is left of it. `test-killed-command [ROUNDS [BACKEND]]`; MSHARE_TOOL is
 * the command, or it is installed.
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
#define TEMPORARY ".mshare-load-"

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

static size_t temporaries_in(const char *path)
{
	DIR *dir = path ? opendir(path) : NULL;
	size_t count = 0;

	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		count += strncmp(e->d_name, TEMPORARY, strlen(TEMPORARY)) == 0;
	closedir(dir);
	return count;
}

/* Whether it still ran. */
static bool kill_command(pid_t pid)
{
	int status;

	check(kill(pid, SIGKILL) == 0);
	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	return WIFSIGNALED(status);
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
		check_equal(temporaries_in("/dev/shm"), 0);
		check_equal(temporaries_in(getenv("MSHARE_TEST_HUGETLBFS")), 0);
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
