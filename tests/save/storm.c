/* SPDX-License-Identifier: MIT */
#include "storm.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "helper.h"
#include "object.h"

struct kill {
	unsigned int at; /* microseconds */
	pid_t pid; /* 0: the hosts */
};

static uint64_t microseconds(void)
{
	struct timespec now;

	check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

unsigned int storm_span(void (*call)(const struct actor *actor), const struct actor *actor)
{
	uint64_t begin = microseconds();

	call(actor);
	call(actor);
	return (unsigned int)(microseconds() - begin) + 1;
}

static void attach_and_detach(void *arg)
{
	const struct actor *actor = arg;

	for (;;) {
		void *p = region_attach_all(actor->region);

		check(mshare_detach(actor->region, p, region_size(actor->region)) == 0);
	}
}

static int by_time(const void *left, const void *right)
{
	const struct kill *a = left, *b = right;

	return (a->at > b->at) - (a->at < b->at);
}

static void carry_out(struct kill *kills, size_t count)
{
	unsigned int now = 0;

	qsort(kills, count, sizeof(*kills), by_time);
	for (size_t i = 0; i < count; i++) {
		usleep(kills[i].at - now);
		now = kills[i].at;
		if (kills[i].pid)
			child_kill_running(kills[i].pid);
		else
			hosts(kill_host);
	}
}

void storm_once(child_body *body, struct actor *actor, unsigned int span)
{
	struct kill kills[3];
	size_t count = 0;

	signpost_make(&actor->begun);
	kills[count++].pid = child_start(body, actor);
	signpost_await(&actor->begun);
	if (random() % 2)
		kills[count++].pid = child_start(attach_and_detach, actor);
	if (backend_is(MSHARE_BACKEND_SHIM) && random() % 2)
		kills[count++].pid = 0;
	for (size_t i = 0; i < count; i++)
		kills[i].at = (unsigned int)random() % span;
	carry_out(kills, count);
	signpost_close(&actor->begun);
}
