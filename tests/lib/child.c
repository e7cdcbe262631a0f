/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define EXEC_ARGS 6
#define LOOK_MS 100

/* No child outlives a test that failed while it was running. */
static pid_t fork_mortal(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	check(pid >= 0);
	if (pid == 0)
		check(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	return pid;
}

pid_t child_start(child_body *body, void *arg)
{
	pid_t pid = fork_mortal();

	if (pid > 0)
		return pid;
	check_in_child = true;
	body(arg);
	fflush(NULL);
	_exit(0);
}

void child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		check(errno == EINTR);
	if (WIFSIGNALED(status))
		fprintf(stderr, "process %d: killed by signal %d\n", pid, WTERMSIG(status));
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void child_run(child_body *body, void *arg)
{
	child_wait(child_start(body, arg));
}

void child_kill(pid_t pid)
{
	int status;

	check(kill(pid, SIGKILL) == 0);
	check(waitpid(pid, &status, 0) == pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void child_kill_running(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, WNOHANG) == 0);
	child_kill(pid);
}

pid_t child_exec(const char *mode, ...)
{
	char *argv[EXEC_ARGS + 3] = { (char *)"test", (char *)mode };
	va_list args;
	pid_t pid;

	va_start(args, mode);
	for (int i = 2; i < EXEC_ARGS + 2; i++) {
		argv[i] = va_arg(args, char *);
		if (!argv[i])
			break;
	}
	va_end(args);
	pid = fork_mortal();
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	return pid;
}

char **child_mode(int argc, char **argv, const char *mode)
{
	if (argc < 2 || strcmp(argv[1], mode) != 0)
		return NULL;
	check_in_child = true;
	return argv + 2;
}

void signpost_make(struct signpost *post)
{
	check(pipe(post->fds) == 0);
}

void signpost_raise(struct signpost *post)
{
	check(write(post->fds[1], "x", 1) == 1);
}

void child_check_all(void)
{
	siginfo_t ended = { 0 };

	if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) || ended.si_pid == 0)
		return;
	check(ended.si_code != CLD_EXITED || ended.si_status == 0);
}

void signpost_await(struct signpost *post)
{
	struct pollfd way = { .fd = post->fds[0], .events = POLLIN };
	char byte;
	ssize_t n;

	while (poll(&way, 1, LOOK_MS) < 1)
		child_check_all();
	do
		n = read(post->fds[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	check_equal(n, 1);
}

void signpost_close(struct signpost *post)
{
	close(post->fds[0]);
	close(post->fds[1]);
}
