/* SPDX-License-Identifier: MIT */
#include "janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHM_DIR "/dev/shm"

static void remove_names(const char *prefix)
{
	DIR *dir = opendir(SHM_DIR);

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

/* The test runner reads our output to its end: it must not wait for us. */
static void let_go_of_everything_but(int fd)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int standard = 0; standard < 3; standard++)
		dup2(nowhere, standard);
	dup2(fd, 3);
	close_range(4, ~0u, 0);
}

static void wait_and_clean(int end, const char *prefix)
{
	char byte;

	setsid();
	let_go_of_everything_but(end);
	while (read(3, &byte, 1) < 0 && errno == EINTR)
		;
	remove_names(prefix);
}

void janitor_start(const char *prefix)
{
	int life[2]; /* ends when nobody has the writing end any more */
	int status;
	pid_t between;

	fflush(NULL);
	if (pipe2(life, O_CLOEXEC) != 0 || (between = fork()) < 0) {
		perror("janitor");
		exit(1);
	}
	if (between == 0) {
		pid_t janitor = fork();

		if (janitor == 0)
			wait_and_clean(life[0], prefix);
		_exit(janitor < 0);
	}
	close(life[0]);
	if (waitpid(between, &status, 0) != between || status != 0) {
		fprintf(stderr, "janitor: cannot be started\n");
		exit(1);
	}
}
