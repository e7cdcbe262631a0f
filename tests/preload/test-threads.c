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

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	subject_start(argc, argv, (const char *const[]){ NULL });
	for (uintptr_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	fork_meanwhile();
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect_converted(SIZE);
	return 0;
}
