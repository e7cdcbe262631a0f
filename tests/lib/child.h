/* SPDX-License-Identifier: MIT */
/* Processes of a test. */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <sys/types.h>

typedef void child_body(void *arg);

/* Forks; the child runs body(arg) and leaves with 0, or with 1 from a failing check. */
pid_t child_start(child_body *body, void *arg);

/* Waits for a child; fails the test unless it left with 0. */
void child_wait(pid_t pid);

/* Both: what is process-wide (limits, filters, signals) stays in there. */
void child_run(child_body *body, void *arg);

/*
 * Fails the test if a child has failed that nobody has waited for yet; it stays for child_wait().
 * Sees one that has ended, not all: for loops.
 */
void child_check_all(void);

/* Kills with SIGKILL and reaps. */
void child_kill(pid_t pid);

/* The same of a child that must not have ended until now, in whatever way. */
void child_kill_running(pid_t pid);

/*
 * Starts this program afresh as `program --MODE ARGS...` (at most 6, then NULL): a process that
 * shares nothing with the test. Descriptors without close-on-exec are inherited.
 */
pid_t child_exec(const char *mode, ...) __attribute__((sentinel));

/* For main(): the arguments after --MODE, or NULL when the program was not started that way. */
char **child_mode(int argc, char **argv, const char *mode);

/*
 * Meeting points between processes: a byte through a pipe. Who awaits one fails when a child of his
 * has failed meanwhile, instead of waiting for ever.
 */
struct signpost {
	int fds[2];
};
void signpost_make(struct signpost *post);
void signpost_raise(struct signpost *post);
void signpost_await(struct signpost *post);
void signpost_close(struct signpost *post);

#endif
