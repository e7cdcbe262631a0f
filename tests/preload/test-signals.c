/* SPDX-License-Identifier: MIT */
/*
 * Handlers may map and unmap whenever they run: what they map goes to the kernel as it is, whatever
 * they interrupt.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "subject.h"

#define IN_HANDLER (SIZE + 4096)
#define ROUNDS 200

static volatile sig_atomic_t handled;

static void map_in_handler(int number)
{
	char *p = mmap(NULL, IN_HANDLER, READ_WRITE, ANONYMOUS, -1, 0);

	(void)number;
	if (p == MAP_FAILED || (p[IN_HANDLER - 1] = 1) != 1 || munmap(p, IN_HANDLER))
		_exit(1);
	handled++;
}

static void install(int number)
{
	struct sigaction act = { .sa_handler = map_in_handler, .sa_flags = SA_RESTART };

	expect(sigaction(number, &act, NULL) == 0);
}

static void handler_is_left_alone(void)
{
	char part[64];

	install(SIGUSR1);
	expect(raise(SIGUSR1) == 0 && handled == 1);
	snprintf(part, sizeof(part), "\"size\": %zu,", (size_t)IN_HANDLER);
	expect(report_lines(part, "") == 1);
	expect(report_lines(part, "mapped in a signal handler") == 1);
}

/* On another stack, from where the interrupted frames are found just the same. */
static void on_another_stack(void)
{
	struct sigaction act = { .sa_handler = map_in_handler, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_size = 256 << 10 };
	char part[64];

	stack.ss_sp = malloc(stack.ss_size);
	expect(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
	expect(sigaction(SIGUSR2, &act, NULL) == 0 && raise(SIGUSR2) == 0 && handled == 2);
	snprintf(part, sizeof(part), "\"size\": %zu,", (size_t)IN_HANDLER);
	expect(report_lines(part, "mapped in a signal handler") == 2);
	stack.ss_flags = SS_DISABLE;
	expect(sigaltstack(&stack, NULL) == 0);
	free(stack.ss_sp);
}

/* Servers that do their work in handlers let signals in where they wait, and nothing is interrupted
 * there that a handler could run into. */
#define WHILE_WAITING (SIZE + 8192)

static void map_while_waiting(int number)
{
	char *p = mmap(NULL, WHILE_WAITING, READ_WRITE, ANONYMOUS, -1, 0);

	(void)number;
	if (p == MAP_FAILED || munmap(p, WHILE_WAITING))
		_exit(1);
	handled++;
}

static void where_signals_are_awaited(void)
{
	struct sigaction act = { .sa_handler = map_while_waiting };
	sigset_t blocked, before;

	handled = 0;
	expect(sigaction(SIGHUP, &act, NULL) == 0);
	expect(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGHUP) == 0);
	expect(sigprocmask(SIG_BLOCK, &blocked, &before) == 0 && raise(SIGHUP) == 0);
	expect(handled == 0);
	expect(sigsuspend(&before) == -1 && handled == 1);
	expect_converted(WHILE_WAITING);
	expect(raise(SIGHUP) == 0 && sigprocmask(SIG_SETMASK, &before, NULL) == 0 && handled == 2);
}

#define ON_SMALL_STACK (SIZE + 12288)

static void map_on_small_stack(int number)
{
	char *p = mmap(NULL, ON_SMALL_STACK, READ_WRITE, ANONYMOUS, -1, 0);

	(void)number;
	if (p == MAP_FAILED || munmap(p, ON_SMALL_STACK))
		_exit(1);
	handled++;
}

/* As much stack as the kernel's own call needs, and nothing below it. */
static void on_small_stack(void)
{
	struct sigaction act = { .sa_handler = map_on_small_stack, .sa_flags = SA_ONSTACK };
	const size_t size = 16 << 10;
	char *room = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = room + size, .ss_size = size };
	sigset_t blocked, before;

	handled = 0;
	expect(room != MAP_FAILED && mprotect(room + size, size, READ_WRITE) == 0);
	expect(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR2, &act, NULL) == 0);
	expect(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGUSR2) == 0);
	expect(sigprocmask(SIG_BLOCK, &blocked, &before) == 0 && raise(SIGUSR2) == 0);
	expect(sigsuspend(&before) == -1 && handled == 1);
	expect_left(ON_SMALL_STACK);
	expect(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	stack.ss_flags = SS_DISABLE;
	expect(sigaltstack(&stack, NULL) == 0 && munmap(room, 2 * size) == 0);
}

/* Once a round, so that a slow machine gets on as well. */
static void interrupt_soon(int round)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 20 + round * 7 % 400 } };

	expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

/* A timer interrupts malloc(3), conversions, and calls on what was converted. */
static void anywhere(void)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	char part[64];

	install(SIGALRM);
	handled = 0;
	for (int i = 0; i < ROUNDS || handled < 50; i++) {
		void *volatile small = malloc((size_t)(i % ROUNDS) * 100 + 1);
		char *p;

		interrupt_soon(i);
		p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);
		expect(p != MAP_FAILED);
		p[i] = 1;
		expect(mprotect(p, SIZE, PROT_READ) == 0);
		expect(p[i] == 1 && p[SIZE - 1] == 0);
		expect(munmap(p, SIZE) == 0);
		free(small);
	}
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
	/* What has waited for a conversion may have interrupted malloc(3) all the same. */
	snprintf(part, sizeof(part), "\"size\": %zu,", (size_t)IN_HANDLER);
	expect(report_lines(part, "\"event\": \"converted\"") == 0);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	handler_is_left_alone();
	on_another_stack();
	where_signals_are_awaited();
	on_small_stack();
	anywhere();
	expect_converted(SIZE);
	return 0;
}
