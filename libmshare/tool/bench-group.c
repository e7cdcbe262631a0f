/* SPDX-License-Identifier: MIT */
/*
 * The processes of the bench: started in groups, the members of which begin to work together, each
 * on a processor of its own, as the processes of a database do. All stay until the last group is
 * done. Processes in one group contend for what the kernel keeps of each page; those of another
 * group only wait.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Pipes on which nothing is sent: their end is what a child waits for. */
struct gate {
	int fds[2];
};

struct member {
	pid_t pid;
	int result; /* reading end: one byte when it is ready, then its sample */
};

struct crew {
	bench_work *work;
	const struct bench_memory *memory;
	pid_t parent;
	struct gate start; /* of the group at hand */
	struct gate release;
	struct member *members;
	size_t started;
};

static int give_up(struct bench_sample *s, int err, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	s->err = err;
	return err;
}

static int gate_make(struct gate *gate)
{
	return pipe2(gate->fds, O_CLOEXEC) ? -errno : 0;
}

static void gate_open(struct gate *gate)
{
	sys_close(gate->fds[1]);
	sys_close(gate->fds[0]);
}

/* In a child, which must have closed the writing end that it inherited. */
static void gate_pass(const struct gate *gate)
{
	char never;

	while (read(gate->fds[0], &never, 1) < 0 && errno == EINTR)
		;
}

/* 0 where it cannot be told, as on a machine with more processors than the set has room for. */
static unsigned int allowed_cpus(cpu_set_t *set)
{
	CPU_ZERO(set);
	return sched_getaffinity(0, sizeof(*set), set) ? 0 : (unsigned int)CPU_COUNT(set);
}

uint64_t bench_cpus(void)
{
	cpu_set_t set;
	unsigned int count = allowed_cpus(&set);
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (count)
		return count;
	return online > 0 ? (uint64_t)online : 1;
}

/*
 * Woken together, two processes may find themselves on one processor until the scheduler has
 * noticed, which takes as long as a scan. Best effort: a scheduler that has it its own way shows in
 * the times.
 */
static void take_cpu(size_t place)
{
	cpu_set_t allowed;
	cpu_set_t one;
	unsigned int count = allowed_cpus(&allowed);

	if (!count)
		return;
	place %= count;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || place--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/*
 * Ends with the parent, whichever way that ends: by the signal, and by the gates, whose only
 * writing ends are the parent's.
 */
static _Noreturn void child_main(const struct crew *crew, int result)
{
	struct bench_sample s = { 0 };
	struct bench_ready ready;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != crew->parent)
		_exit(1);
	sys_close(crew->release.fds[1]);
	sys_close(crew->start.fds[1]);
	s.err = bench_prepare(crew->memory, &ready, &s);
	if (write(result, "r", 1) != 1)
		_exit(1);
	gate_pass(&crew->start);
	if (!s.err)
		s.err = crew->work(crew->memory, &ready, &s);
	if (write(result, &s, sizeof(s)) == (ssize_t)sizeof(s))
		gate_pass(&crew->release);
	_exit(0);
}

/* The member at `place` of a group of `size`: alone, it runs where the scheduler puts it. */
static int start_member(struct crew *crew, size_t place, size_t size, struct bench_sample *s)
{
	struct member *member = &crew->members[crew->started];
	int result[2];

	if (pipe2(result, O_CLOEXEC))
		return give_up(s, -errno, "no descriptor is left for a pipe");
	member->pid = fork();
	if (member->pid == 0) {
		if (size > 1)
			take_cpu(place);
		child_main(crew, result[1]);
	}
	sys_close(result[1]);
	member->result = result[0];
	if (member->pid > 0) {
		crew->started++;
		return 0;
	}
	sys_close(result[0]);
	return give_up(s, -EAGAIN, "no more processes can be started (ulimit -u)");
}

static ssize_t read_fully(int fd, void *into, size_t size)
{
	ssize_t got;

	do
		got = read(fd, into, size);
	while (got < 0 && errno == EINTR);
	return got;
}

static void await_ready(const struct member *member)
{
	char ready;

	/* One that died is noticed when its sample is missing. */
	read_fully(member->result, &ready, 1);
}

/* A child that dies before it can tell closes the pipe: by a signal when memory ran out. */
static int receive(const struct member *member, struct bench_sample *s)
{
	if (read_fully(member->result, s, sizeof(*s)) != (ssize_t)sizeof(*s))
		give_up(s, -ECHILD, "a measuring process died (out of memory?)");
	sys_close(member->result);
	return s->err;
}

/* The first failure: 0 or -errno, with the sentence in *failed. */
static int run_group(struct crew *crew, struct bench_sample *samples, size_t size,
		     const struct bench_sample **failed, struct progress *progress)
{
	const struct member *first = &crew->members[crew->started];
	size_t ready = 0;
	int err = gate_make(&crew->start);

	*failed = samples;
	if (err)
		return give_up(samples, err, "no descriptor is left for a pipe");
	while (ready < size && !err) {
		err = start_member(crew, ready, size, &samples[ready]);
		*failed = &samples[ready];
		ready += !err;
	}
	for (size_t i = 0; i < ready; i++)
		await_ready(&first[i]);
	gate_open(&crew->start);
	for (size_t i = 0; i < ready; i++) {
		int status = receive(&first[i], &samples[i]);

		if (status && !err) {
			err = status;
			*failed = &samples[i];
		}
		progress_step(progress, bench_names[crew->memory->subject]);
	}
	return err;
}

static void end_crew(struct crew *crew)
{
	gate_open(&crew->release);
	for (size_t i = 0; i < crew->started; i++) {
		while (waitpid(crew->members[i].pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(crew->members);
}

int bench_run(bench_work *work, const struct bench_memory *m, struct bench_sample *samples,
	      const struct bench_crew *of, const struct bench_sample **failed,
	      struct progress *progress)
{
	struct crew crew = { .work = work, .memory = m, .parent = getpid() };
	int err = gate_make(&crew.release);

	*failed = samples;
	if (err)
		return give_up(samples, err, "no descriptor is left for a pipe");
	crew.members = calloc(of->procs, sizeof(*crew.members));
	if (!crew.members)
		err = give_up(samples, -ENOMEM, "no memory for the list of processes");
	for (size_t i = 0; !err && i < of->procs; i += of->parallel) {
		size_t left = of->procs - i;

		err = run_group(&crew, &samples[i], left < of->parallel ? left : of->parallel,
				failed, progress);
	}
	end_crew(&crew);
	return err;
}
