/* SPDX-License-Identifier: MIT */
#include "verify.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_bool *stop;

/* Some read, some write what is there already: a lost write shows as well. */
static void verify(void *arg)
{
	const struct scene *s = arg;
	char *at;

	detach(s->at, s->size); /* the inherited one */
	at = attach(s->fd, s->size, READ_WRITE);
	while (!atomic_load(stop)) {
		pages_check(at, s->size, SCENE_SALT);
		pages_fill(at, s->size / 4, SCENE_SALT);
	}
}

void under_verification(int fd, size_t size, make_trouble *trouble)
{
	struct servant host;
	struct scene s = scene_make_served(fd, size, &host);
	pid_t pids[VERIFIERS];

	s.huge = true;
	stop = shared_memory(PAGE);
	for (int i = 0; i < VERIFIERS; i++)
		pids[i] = child_start(verify, &s);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == VERIFIERS + 1));
	trouble(&s, &host);
	atomic_store(stop, true);
	for (int i = 0; i < VERIFIERS; i++)
		child_wait(pids[i]);
	munmap(stop, PAGE);
	servant_dismiss(&host);
	scene_end(&s);
}

void swap_begin(void)
{
	/* Some kernels have it built in. */
	check(system("{ [ -e /sys/block/zram0 ] || modprobe zram; } && "
		     "echo 256M >/sys/block/zram0/disksize && "
		     "mkswap /dev/zram0 >/dev/null && swapon /dev/zram0") == 0);
}

void swap_end(void)
{
	check(system("swapoff /dev/zram0 && echo 1 >/sys/block/zram0/reset") == 0);
}

uint64_t number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long number;

	check(file);
	check(fscanf(file, "%llu", &number) == 1);
	fclose(file);
	return number;
}

bool has_two_nodes(void)
{
	bool two = access("/sys/devices/system/node/node1", F_OK) == 0;

	if (!two)
		print_message("one NUMA node only: no page can move to another\n");
	return two;
}

bool vma_has_flag(const void *at, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool here = false, found = false;
	char line[512];

	check(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag);
	}
	fclose(file);
	return found;
}
