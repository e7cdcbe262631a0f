/* SPDX-License-Identifier: MIT */
/*
 * Faults that meet signals: who is killed in one that may not drop its lock leaves the lock as it
 * was, and the first fault of a forked child is served although a signal is pending, which it
 * cannot take before its system call is over. `test-interrupted [ROUNDS]`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (16 * SLOT)
#define PLAYGROUND (SIZE - SLOT) /* what is beyond is nobody's data */
#define HURRY 3000 /* microseconds */
#define LONG_COPY (32 * MIB) /* takes more than a tick of the timer */

static unsigned int rounds = 60;

static uint32_t *word_of(const struct scene *s, unsigned int page)
{
	return (void *)(s->at + PLAYGROUND + page % (SLOT / PAGE) * PAGE + 64);
}

/* The kernel changes the second word itself, and faults it in without leave to retry. */
static void change_by_futex(void *scene)
{
	const struct scene *s = scene;
	uint32_t own = 0;

	for (unsigned int i = 0;; i++)
		check(syscall(SYS_futex, &own, FUTEX_WAKE_OP, 1, 1L, word_of(s, i),
			      FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)) >= 0);
}

struct target {
	const struct scene *scene;
	pid_t pid;
};

/* Of another process; there too no fault may drop the lock. */
static void change_by_proc(void *arg)
{
	const struct target *t = arg;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	for (unsigned int i = 0;; i++) {
		off_t at = (off_t)(uintptr_t)word_of(t->scene, i);
		uint32_t word = i;

		check(pwrite(fd, &word, sizeof(word), at) == sizeof(word));
		check(pread(fd, &word, sizeof(word), at) == sizeof(word));
	}
}

static void flush_on_and_on(void *scene)
{
	const struct scene *s = scene;
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = s->fd,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SIZE,
	};

	for (;;)
		check_equal(device_call(MSHARE_CTL_FLUSH, &flush), 0);
}

/* The host has to bring the pages back. */
static void punch_on_and_on(void *scene)
{
	const struct scene *s = scene;

	for (unsigned int i = 0;; i++)
		check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(PLAYGROUND + i % (SLOT / PAGE) * PAGE), PAGE) == 0);
}

/* Needs the lock of its address space for writing, time and again; each word is a new proof. */
static void map_on_and_on(void *proofs)
{
	atomic_uint *done = proofs;

	for (;;) {
		void *at = mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(at != MAP_FAILED && munmap(at, PAGE) == 0);
		atomic_fetch_add(done, 1);
		pause_ms(1);
	}
}

static bool goes_on(atomic_uint *done)
{
	unsigned int seen = atomic_load(done);

	/* One that was under way does not count. */
	return COMES_TRUE(atomic_load(done) > seen + 1);
}

static bool ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return true;
}

/* Also where it hangs on a lock that nobody has, which no signal ends. */
static void kill_at_any_moment(child_body *body, void *arg)
{
	pid_t pid = child_start(body, arg);

	usleep((useconds_t)(random() % HURRY));
	check(kill(pid, SIGKILL) == 0);
	check(COMES_TRUE(ended(pid)));
}

static void test_killed_without_retry(void **state)
{
	struct scene s = scene_make(SIZE);
	atomic_uint *proofs = shared_memory(sizeof(*proofs));
	struct target target = { &s, child_start(map_on_and_on, proofs) };
	pid_t trouble[] = { child_start(flush_on_and_on, &s), child_start(flush_on_and_on, &s),
			    child_start(punch_on_and_on, &s) };

	(void)state;
	for (unsigned int i = 0; i < rounds; i++) {
		kill_at_any_moment(change_by_futex, &s);
		kill_at_any_moment(change_by_proc, &target);
		check(goes_on(proofs));
	}
	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
		child_kill_running(trouble[i]);
	child_kill_running(target.pid);
	pages_check(s.at, PLAYGROUND, SCENE_SALT);
	pages_fill(s.at, SIZE, SCENE_SALT);
	munmap(proofs, sizeof(*proofs));
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

static volatile sig_atomic_t arrived;

static void count_signal(int signal)
{
	(void)signal;
	arrived = arrived + 1;
}

static void signals_from_now_on(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	const struct sigaction action = { .sa_handler = count_signal };

	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void *private_memory(size_t size)
{
	void *at = mmap(NULL, size, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	return at;
}

/* A system call that arrives at the region when the timer has expired more than once. */
static void fault_in_a_call(void *scene)
{
	const struct scene *s = scene;
	char *own = private_memory(LONG_COPY);
	struct iovec parts[] = { { own, LONG_COPY }, { s->at, SIZE } };
	int source = memory_file(LONG_COPY + SIZE);
	int before;

	check(pwrite(source, "end", 3, (off_t)(LONG_COPY + SIZE - 3)) == 3);
	signals_from_now_on();
	before = arrived;
	check_equal(readv(source, parts, 2), LONG_COPY + SIZE);
	check(arrived > before);
	check(memcmp(s->at + SIZE - 3, "end", 3) == 0);
}

static void plain_fault(void *scene)
{
	const struct scene *s = scene;

	signals_from_now_on();
	pages_check(s->at, SIZE, SCENE_SALT);
	pages_fill(s->at, SIZE, SCENE_SALT);
}

/* Blocked, it stays pending all the time. */
static void fault_with_blocked_signals(void *scene)
{
	const struct scene *s = scene;
	sigset_t all, pending;

	check(sigfillset(&all) == 0 && sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	signals_from_now_on();
	check(raise(SIGUSR1) == 0);
	pages_check(s->at, SIZE, SCENE_SALT);
	pages_fill(s->at, SIZE, SCENE_SALT);
	check(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
}

/* Fails instead of waiting for ever. */
static void ends_well(child_body *body, const struct scene *s)
{
	struct scene copy = *s;
	pid_t pid = child_start(body, &copy);
	siginfo_t info = { 0 };

	if (!COMES_TRUE(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			info.si_pid == pid)) {
		child_kill(pid);
		fail_msg("the child does not end");
	}
	child_wait(pid);
}

static void test_first_fault_with_a_signal_pending(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	for (unsigned int i = 0; i < rounds / 4 + 1; i++) {
		ends_well(plain_fault, &s);
		ends_well(fault_with_blocked_signals, &s);
		ends_well(fault_in_a_call, &s);
		pages_fill(s.at, SIZE, SCENE_SALT);
	}
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_first_fault_with_a_signal_pending),
		cmocka_unit_test(test_killed_without_retry),
	};

	if (argc > 1)
		rounds = (unsigned int)strtoul(argv[1], NULL, 10);
	return SHIM_MAIN(cases);
}
