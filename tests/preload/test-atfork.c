/* SPDX-License-Identifier: MIT */
/*
 * What runs within fork(2) may map as well: handlers of pthread_atfork(3) that were registered
 * before `mshare run` registered its own, and so run after them, and signal handlers.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "subject.h"

#define THREADS 3
#define FORKS 40
#define IN_HANDLER (SIZE + 4096)
#define SMALL ((size_t)64 << 10)

static bool armed; /* in main(), before and after there are threads */
static char *made; /* in the handler that runs before a fork, if it is to */
static bool makes;
static atomic_bool done;

static void map_and_unmap(size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || (p[size - 1] = 1) != 1 || munmap(p, size))
		_exit(1);
}

static void before_fork(void)
{
	if (armed)
		map_and_unmap(IN_HANDLER);
	if (makes)
		made = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);
}

static void after_fork(void)
{
	if (armed)
		map_and_unmap(IN_HANDLER);
}

static void first_of_all(void)
{
	if (pthread_atfork(before_fork, after_fork, after_fork))
		_exit(1);
}

/* Before the constructors of any library. */
__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = first_of_all;

static void on_alarm(int number)
{
	(void)number;
	map_and_unmap(SMALL);
	map_and_unmap(IN_HANDLER);
}

static void *work(void *unused)
{
	while (!atomic_load(&done))
		map_and_unmap(SIZE);
	return unused;
}

static void child_maps(void *unused)
{
	(void)unused;
	map_and_unmap(SIZE);
}

static void fork_often(void)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	const struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	expect(sigaction(SIGALRM, &act, NULL) == 0);
	expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < FORKS; i++)
		in_child(child_maps, NULL);
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static void among_threads(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, work, NULL) == 0);
	fork_often();
	atomic_store(&done, true);
	for (int i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
}

/* The child has what was mapped while it was being made: a copy would not be seen by it. */
static void seen_by_both(void)
{
	int told[2];
	char byte;
	pid_t pid;

	expect(pipe(told) == 0);
	makes = true;
	pid = fork();
	makes = false;
	expect(made != MAP_FAILED);
	if (pid == 0) {
		expect(read(told[0], &byte, 1) == 1);
		expect_filled(made, SIZE, 2);
		_exit(0);
	}
	if (mprotect(made, 4096, PROT_READ) == 0)
		expect(mprotect(made, 4096, READ_WRITE) == 0);
	else
		expect(backend_is("hugetlb"));
	fill(made, SIZE, 2);
	expect(write(told[1], "x", 1) == 1);
	wait_for(pid);
	expect(munmap(made, SIZE) == 0);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	seen_by_both();
	armed = true;
	in_child(child_maps, NULL);
	expect_converted(IN_HANDLER);
	among_threads();
	return 0;
}
