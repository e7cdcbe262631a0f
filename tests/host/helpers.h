/* SPDX-License-Identifier: MIT */
/* Regions for the tests of mshare-host, and looking at helper processes from outside. */
#ifndef TEST_HOST_HELPERS_H
#define TEST_HOST_HELPERS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>
#include <cmocka.h>

#define TEXT_MAX 256

/* Evaluates to whether the condition came true within so many seconds. Bounds, not speed tests. */
#define COMES_TRUE(condition, seconds)                                                             \
	({                                                                                         \
		bool came_true = false;                                                            \
		for (int tick = 0; !came_true && tick < (seconds)*50; tick++) {                    \
			came_true = (condition);                                                   \
			if (!came_true)                                                            \
				pause_ms(20);                                                      \
		}                                                                                  \
		came_true;                                                                         \
	})
#define PATIENCE 30

void pause_ms(unsigned int ms);

/* A label that no other process uses, until the next call. */
const char *new_label(void);

/* A memfd of this size. */
int new_object(size_t size);

/* A PMD-aligned shared mapping of all of it. */
void *map_object(int fd, size_t size);

/* How many helpers run with this label; *pid is one of them. Zombies do not count. */
int count_helpers(const char *label, pid_t *pid);

/* The one helper, which serves already: host_ensure() and some patience. */
pid_t serving_helper(int fd, const char *label);

/* A line of /proc/PID/status: the text after "KEY:\t". False when the process or key is not there.
 */
bool status_text(pid_t pid, const char *key, char *text);

/* Bytes of the mapping at addr that huge pages map, from smaps, after reading every page. */
size_t huge_bytes(const void *addr, size_t size);

/* Bytes allocated to the object. */
size_t allocated(int fd);

/* Runs a test in a process of its own; fails the test unless it returns 0. */
void in_child(int (*run)(void));

/* In such a process: says what is wrong and gives up. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

#endif
