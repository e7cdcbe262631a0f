/* SPDX-License-Identifier: MIT */
/* Which call fails. Allocations of the library are calls too (linked with --wrap). */
#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static struct {
	bool on;
	unsigned int step, choice; /* the call to fail, and how */
	unsigned int calls; /* so far */
	struct fake_fault fault;
} plan;

void fake_faults_on(unsigned int step, unsigned int choice)
{
	plan.on = true;
	plan.step = step;
	plan.choice = choice;
	plan.calls = 0;
	plan.fault = (struct fake_fault){ 0 };
}

void fake_faults_off(void)
{
	plan.on = false;
}

struct fake_fault fake_fault(void)
{
	return plan.fault;
}

int fake_fault_here(const char *call, const int *errors)
{
	if (!plan.on || errors[0] == 0 || ++plan.calls != plan.step)
		return 0;
	plan.fault.reached = true;
	snprintf(plan.fault.call, sizeof(plan.fault.call), "%s", call);
	for (unsigned int i = 0; i < plan.choice; i++)
		if (errors[i + 1] == 0)
			return 0;
	plan.fault.fired = true;
	plan.fault.err = errors[plan.choice];
	return -plan.fault.err;
}

static bool out_of(const char *call, int err)
{
	int errors[] = { err, 0 };
	int injected = fake_fault_here(call, errors);

	if (injected)
		errno = -injected;
	return injected;
}

/* The linker turns f() of the library into __wrap_f(), and __real_f() here into f(). */
#define WRAPPED(type, name, ...)                                                                   \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

/* What the library allocated and did not free yet. Its table of handles grows by realloc() and is
 * kept for ever: not counted. */
static void *live[1024];

static void *remember(void *allocation)
{
	for (size_t i = 0; allocation && i < sizeof(live) / sizeof(live[0]); i++) {
		if (!live[i]) {
			live[i] = allocation;
			break;
		}
	}
	return allocation;
}

long fake_live_allocations(void)
{
	long count = 0;

	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		count += live[i] != NULL;
	return count;
}

WRAPPED(void *, malloc, size_t size)
{
	return out_of("malloc", ENOMEM) ? NULL : remember(__real_malloc(size));
}

WRAPPED(void *, calloc, size_t count, size_t size)
{
	return out_of("calloc", ENOMEM) ? NULL : remember(__real_calloc(count, size));
}

WRAPPED(void, free, void *allocation)
{
	for (size_t i = 0; allocation && i < sizeof(live) / sizeof(live[0]); i++)
		if (live[i] == allocation)
			live[i] = NULL;
	__real_free(allocation);
}

WRAPPED(void *, realloc, void *old, size_t size)
{
	return out_of("realloc", ENOMEM) ? NULL : __real_realloc(old, size);
}

WRAPPED(void *, tsearch, const void *key, void **root, int (*compare)(const void *, const void *))
{
	return out_of("tsearch", ENOMEM) ? NULL : __real_tsearch(key, root, compare);
}

WRAPPED(FILE *, fopen64, const char *path, const char *mode)
{
	return out_of("fopen", EMFILE) ? NULL : __real_fopen64(path, mode);
}

WRAPPED(FILE *, fmemopen, void *buf, size_t size, const char *mode)
{
	return out_of("fmemopen", ENOMEM) ? NULL : __real_fmemopen(buf, size, mode);
}

/* The processes of this machine are this one, so that a sweep is as long everywhere. */
WRAPPED(DIR *, opendir, const char *path)
{
	if (out_of("opendir", EMFILE))
		return NULL;
	return __real_opendir(strcmp(path, "/proc") == 0 ? "/proc/self/task" : path);
}
