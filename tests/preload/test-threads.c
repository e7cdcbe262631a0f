/* SPDX-License-Identifier: MIT */
/* Threads that map, cut and unmap at the same time, while others fork. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject.h"

#define THREADS 4
#define ROUNDS 40
#define HUGE ((size_t)2 << 20)

static atomic_int running = THREADS;

static void one_round(uint64_t salt)
{
	char *p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED);
	fill(p, HUGE, salt);
	expect(mprotect(p + 4 * HUGE, HUGE, PROT_READ) == 0);
	expect_filled(p, HUGE, salt);
	if (salt % 2)
		expect(munmap(p + 4 * HUGE, HUGE) == 0);
	expect(munmap(p, SIZE) == 0);
}

static void *work(void *number)
{
	for (uint64_t i = 0; i < ROUNDS; i++)
		one_round(i * 2654435761u + (uintptr_t)number);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* Children of a process with many threads can map at once. */
static void fork_meanwhile(void)
{
	do {
		pid_t pid = fork();

		if (pid == 0) {
			one_round((uint64_t)getpid());
			_exit(0);
		}
		wait_for(pid);
	} while (atomic_load(&running));
}

#define ON_SMALL_STACK (SIZE + 8192)

static void *map_and_unmap(void *unused)
{
	void *p = mmap(NULL, ON_SMALL_STACK, READ_WRITE, ANONYMOUS, -1, 0);

	expect(p != MAP_FAILED && munmap(p, ON_SMALL_STACK) == 0);
	return unused;
}

/* The kernel needs none of it; the first call, which finds out about the machine, needs most. */
static void on_small_stack(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	expect(pthread_attr_init(&attr) == 0);
	expect(pthread_attr_setstacksize(&attr, 24 << 10) == 0);
	expect(pthread_create(&thread, &attr, map_and_unmap, NULL) == 0);
	expect(pthread_join(thread, NULL) == 0);
	expect_converted(ON_SMALL_STACK);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	subject_start(argc, argv, (const char *const[]){ NULL });
	on_small_stack();
	for (uintptr_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	fork_meanwhile();
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect_converted(SIZE);
	return 0;
}
