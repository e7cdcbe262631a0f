/* SPDX-License-Identifier: MIT */
#include "members.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/* A process as /proc tells of it. */
struct process {
	pid_t pid;
	pid_t group;
	char state;
};

static bool read_process(const struct dirent *entry, struct process *p)
{
	char path[300];
	bool found;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
	f = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "re") : NULL;
	if (!f)
		return false;
	found = fscanf(f, "%d (%*[^)]) %c %*d %d", &p->pid, &p->state, &p->group) == 3;
	fclose(f);
	return found;
}

/* The only processor a process may run on, or -1. */
static int only_cpu(const struct process *p)
{
	cpu_set_t set;

	if (sched_getaffinity(p->pid, sizeof(set), &set) || CPU_COUNT(&set) != 1)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			return cpu;
	return -1;
}

int members(pid_t group, cpu_set_t *confined)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	struct process p;
	int count = 0;

	assert_non_null(proc);
	CPU_ZERO(confined);
	while ((entry = readdir(proc))) {
		if (!read_process(entry, &p) || p.group != group || p.state == 'Z')
			continue;
		count++;
		if (only_cpu(&p) >= 0)
			CPU_SET(only_cpu(&p), confined);
	}
	closedir(proc);
	return count;
}

void kill_bench(pid_t pid)
{
	cpu_set_t unused;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (members(pid, &unused))
		usleep(1000);
}
