/* SPDX-License-Identifier: MIT */
/* Names of a test program go with its last process, however that ends; other names stay. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "janitor.h"

#include "check.h"

/* Hundredths of a second to wait for what happens at once, or never. */
#define PATIENCE 3000

static char own[64], other[64];
static struct signpost made;

static void make(const char *name)
{
	int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);

	check(fd >= 0);
	close(fd);
}

static bool exists(const char *name)
{
	int fd = shm_open(name, O_RDONLY, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void guard_and_stay(void *unused)
{
	(void)unused;
	janitor_start(own + 1);
	check(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	make(own);
	signpost_raise(&made);
	pause();
}

static void killed_program_leaves_no_name(void **state)
{
	pid_t pid;

	(void)state;
	snprintf(own, sizeof(own), "/mshare-test-janitor-%d-own", getpid());
	snprintf(other, sizeof(other), "/mshare-test-janitor-%d-other", getpid());
	make(other);
	signpost_make(&made);
	pid = child_start(guard_and_stay, NULL);
	signpost_await(&made);
	check(exists(own));
	child_kill(pid);
	for (int i = 0; i < PATIENCE && exists(own); i++)
		usleep(10000);
	check(!exists(own));
	check(exists(other));
	check(shm_unlink(other) == 0);
	signpost_close(&made);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(killed_program_leaves_no_name),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
