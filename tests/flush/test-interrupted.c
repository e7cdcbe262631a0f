/* SPDX-License-Identifier: MIT */
/*
 * Signals all the time, threads that flush at once, a fork in between: every flush still ends in 0
 * with its range written, and leaves errno, descriptors and mappings as they were.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirty.h"
#include "flush.h"
#include "twins.h"

enum { ROUNDS = 100, THREADS = 4, PIECES = 20 };

static const struct twin *twin;
static atomic_uint signals;
static atomic_uint flushes;
static atomic_uint handed_over;

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

/* Every 100 us and without SA_RESTART, so that each blocking call can end in EINTR. */
static void start_signals(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval timer = { { 0, 100 }, { 0, 100 } };

	atomic_store(&signals, 0);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void stop_signals(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	assert_int_equal(setitimer(ITIMER_REAL, &none, NULL), 0);
}

/*
 * Under a hail of signals Linux may be unable to start a worker, and flush_uring() then hands over
 * to its twin, as it does in flush_data(). That must stay the exception.
 */
static int flush_by_twin(int fd, uint64_t len)
{
	int err = twin->flush(fd, 0, len);

	atomic_fetch_add(&flushes, 1);
	if (err != -ENOSYS)
		return err;
	atomic_fetch_add(&handed_over, 1);
	return flush_sync(fd, 0, len);
}

static void test_mostly_by_the_twin_itself(void **state)
{
	(void)state;
	print_message("%u of %u flushes were handed over\n", atomic_load(&handed_over),
		      atomic_load(&flushes));
	assert_true(atomic_load(&flushes) > ROUNDS);
	assert_true(atomic_load(&handed_over) < atomic_load(&flushes) / 2);
}

/* Dirties one page a piece and flushes: whether all went well. */
static bool flush_pieces(int fd, struct page_view *views)
{
	for (int i = 0; i < PIECES; i++)
		view_store(&views[i]);
	if (flush_by_twin(fd, PIECES * FLUSH_CHUNK) != 0)
		return false;
	return unwritten_pages(fd, 0, PIECES * FLUSH_CHUNK) <= 0;
}

static bool flush_rounds(int rounds)
{
	struct page_view views[PIECES];
	int fd = disk_file(PIECES * FLUSH_CHUNK);
	bool good = true;

	for (int i = 0; i < PIECES; i++)
		views[i] = view_open(fd, (uint64_t)i * FLUSH_CHUNK);
	for (int i = 0; i < rounds && good; i++)
		good = flush_pieces(fd, views);
	for (int i = 0; i < PIECES; i++) {
		good = good && !view_is_dirty(&views[i]);
		view_close(&views[i]);
	}
	close(fd);
	return good;
}

static void test_signals(void **state)
{
	(void)state;
	start_signals();
	assert_true(flush_rounds(ROUNDS));
	stop_signals();
	assert_true(atomic_load(&signals) > 100);
}

static void test_errno_is_left_alone(void **state)
{
	int fd = disk_file(32 * MIB);

	(void)state;
	start_signals();
	errno = 4711;
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(flush_by_twin(fd, 32 * MIB), 0);
	assert_int_equal(errno, 4711);
	stop_signals();
	close(fd);
}

static void *flush_in_thread(void *good)
{
	atomic_store((atomic_bool *)good, flush_rounds(ROUNDS / THREADS));
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	atomic_bool good[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flush_in_thread, &good[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(atomic_load(&good[i]));
	}
}

/* Children made while another thread is inside a flush can flush at once themselves. */
static void test_fork_while_flushing(void **state)
{
	pthread_t thread;
	atomic_bool good;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, flush_in_thread, &good), 0);
	for (int i = 0; i < 10; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			_exit(flush_rounds(1) ? 0 : 1);
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(atomic_load(&good));
}

static void test_nothing_is_leaked(void **state)
{
	int fd = disk_file(5 * GIB);
	unsigned int mappings, descriptors;

	(void)state;
	assert_int_equal(flush_by_twin(fd, 5 * GIB), 0);
	mappings = count_shared_mappings();
	descriptors = count_descriptors();
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(flush_by_twin(fd, i % 2 ? 1 : 32 * MIB), 0);
		assert_int_not_equal(twin->flush(-1, 0, 32 * MIB), 0);
	}
	assert_int_equal(count_shared_mappings(), mappings);
	assert_int_equal(count_descriptors(), descriptors);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_errno_is_left_alone),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_fork_while_flushing),
		cmocka_unit_test(test_nothing_is_leaked),
		cmocka_unit_test(test_mostly_by_the_twin_itself),
	};

	twin = twin_by_name(argc > 1 ? argv[1] : "data");
	close(disk_file(0)); /* skips here, where the exit status is ours */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
