/* SPDX-License-Identifier: MIT */
/* A library that a program loads late: its constructor, which runs under the dynamic linker's lock,
 * waits for a thread that maps. */
#include <pthread.h>
#include <stdlib.h>

#include "subject.h"

static void *map(void *unused)
{
	void *p = mmap(NULL, SIZE, READ_WRITE, ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p, SIZE))
		abort();
	return unused;
}

__attribute__((constructor)) static void start(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, map, NULL) || pthread_join(thread, NULL))
		abort();
}
