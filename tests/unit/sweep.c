/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* An errno no call sets, to see that it is left alone. */
#define UNTOUCHED 4242
enum { MAX_STEPS = 400, MAX_CHOICES = 12 };

/* Shared with the process under test, which may die. */
static struct result {
	struct fake_fault fault;
	int err;
	char complaint[1024];
} * result;

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list args;

	if (result->complaint[0])
		return;
	va_start(args, fmt);
	vsnprintf(result->complaint, sizeof(result->complaint), fmt, args);
	va_end(args);
}

static bool is_documented(const int *documented, int err)
{
	while (*documented && *documented != err)
		documented++;
	return *documented;
}

static void compare_usage(const char *when, const struct fake_usage *before)
{
	struct fake_usage now = fake_usage();

	if (memcmp(&now, before, sizeof(now)) != 0)
		complain("%s: %ld descriptors, %ld mappings of %llu bytes, %ld names, %ld files, "
			 "pools %ld %ld, %ld allocations; before %ld, %ld of %llu, %ld, %ld, "
			 "%ld %ld, %ld",
			 when, now.descriptors, now.mappings, (unsigned long long)now.mapped_bytes,
			 now.names, now.files, now.pool_pmd, now.pool_pud, now.allocations,
			 before->descriptors, before->mappings,
			 (unsigned long long)before->mapped_bytes, before->names, before->files,
			 before->pool_pmd, before->pool_pud, before->allocations);
}

static void check_failure(const struct scenario *s, int err)
{
	const char *sentence = mshare_errmsg();

	if (!is_documented(s->documented, err))
		complain("errno %d (%s) is not documented; sentence \"%s\"", err, strerror(err),
			 sentence);
	if (strlen(sentence) < 10)
		complain("errno %d has the sentence \"%s\"", err, sentence);
}

static void act_once(const struct scenario *s, unsigned int step, unsigned int choice)
{
	struct fake_usage before = fake_usage();
	int err;

	fake_cleanup_fails = s->cleanup_fails;
	fake_faults_on(step, choice);
	errno = UNTOUCHED;
	err = s->act() ? errno : 0;
	fake_faults_off();
	result->fault = fake_fault();
	result->err = err;
	if (err)
		check_failure(s, err);
	else if (errno != UNTOUCHED)
		complain("errno became %d without a failure", errno);
	else if (s->undo)
		s->undo();
	if (s->check)
		s->check(err);
	compare_usage(err ? "left behind by the failure" : "left behind after undoing", &before);
}

static void child(const struct scenario *s, unsigned int step, unsigned int choice)
{
	fake = s->machine;
	if (s->prepare)
		s->prepare();
	act_once(s, step, choice);
	fflush(NULL);
	_exit(0);
}

static void run_once(const struct scenario *s, unsigned int step, unsigned int choice)
{
	int status = -1;
	pid_t pid;

	memset(result, 0, sizeof(*result));
	pid = fork();
	if (pid == 0)
		child(s, step, choice);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0 || result->complaint[0])
		fail_msg("%s, call %u (%s) failing with %s: status %#x: %s", s->name, step,
			 result->fault.call, strerror(result->fault.err), (unsigned int)status,
			 result->complaint);
}

static void share_result(void)
{
	if (!result)
		result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(result, MAP_FAILED);
}

void sweep(void **state)
{
	const struct scenario *s = *state;
	unsigned int step = 0;
	unsigned int runs = 0;
	unsigned int failures = 0;

	share_result();
	run_once(s, 0, 0);
	if (result->err)
		fail_msg("%s fails without any fault: %s", s->name, strerror(result->err));
	do {
		unsigned int choice = 0;

		step++;
		do {
			run_once(s, step, choice++);
			runs += result->fault.fired;
			failures += result->err != 0;
		} while (result->fault.fired && choice < MAX_CHOICES);
	} while (result->fault.reached && step < MAX_STEPS);
	print_message("%s: %u calls, %u faults, %u failures seen by the caller\n", s->name,
		      step - 1, runs, failures);
	assert_true(step < MAX_STEPS);
	assert_true(step - 1 >= s->least_steps);
	assert_true(runs >= step - 1);
	assert_true(failures > 0 || s->least_steps == 0);
}

void in_fresh_process(const struct fake_machine *machine, void (*run)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* Else a failed assertion would go on with the next test, here in the child. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		fake = *machine;
		run(arg);
		fflush(NULL);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
