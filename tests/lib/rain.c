/* SPDX-License-Identifier: MIT */
#include "rain.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#include "check.h"

static volatile sig_atomic_t arrived;

static void count_signal(int signal)
{
	(void)signal;
	arrived = arrived + 1;
}

static void rain(long microseconds)
{
	const struct itimerval interval = { { 0, microseconds }, { 0, microseconds } };

	check(setitimer(ITIMER_REAL, &interval, NULL) == 0);
}

void in_the_rain(void (*calls)(void *arg), void *arg, int signals, int rounds_at_most)
{
	struct sigaction action = { .sa_handler = count_signal }, before;

	check(sigaction(SIGALRM, &action, &before) == 0);
	arrived = 0;
	rain(1000);
	for (int i = 0; arrived < signals && i < rounds_at_most; i++)
		calls(arg);
	rain(0);
	check(sigaction(SIGALRM, &before, NULL) == 0);
	check(arrived >= signals);
}
