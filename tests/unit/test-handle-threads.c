/* SPDX-License-Identifier: MIT */
/* Many threads open, use and close handles; forking meanwhile never leaves a child with the lock.
 */
#include "handle.h"
#include "mock-sys.h"
#include "region.h"
#include "unit.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, REGIONS = 64, ROUNDS = 20000, FORKS = 40 };

/* One place where threads meet: whoever swaps the ticket out owns it and must close it. */
static struct {
	struct region region;
	atomic_uintptr_t ticket;
} places[REGIONS];

static atomic_uint wrong;
static atomic_uint found;
static atomic_uint closed;

/* Only a thread that took the ticket out of its place closes it, so this must succeed. */
static void close_or_open(size_t i)
{
	uintptr_t ticket = atomic_exchange(&places[i].ticket, 0);
	mshare_t h;

	if (ticket) {
		if (handle_take((mshare_t)ticket) != &places[i].region)
			atomic_fetch_add(&wrong, 1);
		if (handle_take((mshare_t)ticket))
			atomic_fetch_add(&wrong, 1);
		atomic_fetch_add(&closed, 1);
	}
	if (handle_new(&places[i].region, &h) != 0) {
		atomic_fetch_add(&wrong, 1);
		return;
	}
	ticket = atomic_exchange(&places[i].ticket, (uintptr_t)h);
	if (ticket && handle_take((mshare_t)ticket) != &places[i].region)
		atomic_fetch_add(&wrong, 1);
}

/* The ticket may be closed by now, but never names another region. */
static void use(size_t i)
{
	uintptr_t ticket = atomic_load(&places[i].ticket);
	struct region *r = handle_get((mshare_t)ticket);

	if (!r)
		return;
	atomic_fetch_add(&found, 1);
	if (r != &places[i].region)
		atomic_fetch_add(&wrong, 1);
	atomic_fetch_sub(&r->refs, 1);
}

static void *work(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (int round = 0; round < ROUNDS; round++) {
		seed = seed * 1664525u + 1013904223u;
		if ((seed >> 8) % 4 == 0)
			close_or_open((seed >> 16) % REGIONS);
		else
			use((seed >> 16) % REGIONS);
	}
	return NULL;
}

static void open_use_close(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < REGIONS; i++)
		atomic_store(&places[i].region.refs, 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&wrong), 0);
	assert_true(atomic_load(&found) > 0);
	assert_true(atomic_load(&closed) > 0);
	for (size_t i = 0; i < REGIONS; i++) {
		uintptr_t ticket = atomic_exchange(&places[i].ticket, 0);

		assert_int_equal(atomic_load(&places[i].region.refs), 1);
		if (ticket)
			assert_ptr_equal(handle_take((mshare_t)ticket), &places[i].region);
	}
}

static atomic_bool stop;

static void *keep_the_lock_busy(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		state_lock();
		state_unlock();
	}
	return NULL;
}

/* In the child: everything works; a lock inherited as taken would hang until the alarm. */
static void child(mshare_t h)
{
	mshare_t mine;

	alarm(60);
	if (!handle_get(h) || handle_new(&places[1].region, &mine) != 0 || !handle_take(mine))
		_exit(1);
	_exit(0);
}

static void fork_while_the_lock_is_busy(void **state)
{
	pthread_t thread;
	mshare_t h;

	(void)state;
	assert_int_equal(handle_new(&places[0].region, &h), 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_the_lock_busy, NULL), 0);
	for (int i = 0; i < FORKS; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			child(h);
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_ptr_equal(handle_take(h), &places[0].region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_use_close),
		cmocka_unit_test(fork_while_the_lock_is_busy),
	};

	return cmocka_run_group_tests(tests, mock_setup, mock_teardown);
}
