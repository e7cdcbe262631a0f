/* SPDX-License-Identifier: MIT */
/* Any call from any thread at any time, on the same handle too, also while it is being closed. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())
#define THREADS 6
#define ROUNDS 150

/* Threads count what goes wrong; checks stay in the thread that runs the test. */
struct crew {
	mshare_t r;
	char *p;
	atomic_bool stop;
	atomic_int mistakes;
	atomic_int closes;
	pthread_barrier_t start;
};

static void expect(struct crew *crew, bool ok)
{
	if (!ok)
		atomic_fetch_add(&crew->mistakes, 1);
}

static void run_crew(struct crew *crew, void *(*work)(void *))
{
	pthread_t threads[THREADS];

	check(pthread_barrier_init(&crew->start, NULL, THREADS) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, work, crew) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	check(pthread_barrier_destroy(&crew->start) == 0);
	check_equal(atomic_load(&crew->mistakes), 0);
}

static void *attach_and_detach(void *arg)
{
	struct crew *crew = arg;

	pthread_barrier_wait(&crew->start);
	for (size_t i = 0; i < ROUNDS; i++) {
		off_t off = (off_t)(i % 4 * pmd_size());
		char *p = mshare_attach(crew->r, NULL, off, pmd_size(), READ_WRITE, 0);
		struct mshare_stat st = { .size = sizeof(st) };

		expect(crew, p != MAP_FAILED);
		if (p == MAP_FAILED)
			continue;
		expect(crew, p[8] == (char)(i % 4));
		expect(crew, mshare_stat(crew->r, &st) == 0 && st.attachments >= 1);
		expect(crew, mshare_detach(crew->r, p, pmd_size()) == 0);
	}
	return NULL;
}

static void one_handle_for_all(void **state)
{
	struct crew crew = { .r = region_make(REGION) };
	char *p = region_attach_all(crew.r);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		p[i * pmd_size() + 8] = (char)i;
	run_crew(&crew, attach_and_detach);
	check_equal(region_stat(crew.r, 0).attachments, 1);
	check_equal(proc_file_mappings(region_file(crew.r)), 1);
	check(mshare_detach(crew.r, p, REGION) == 0);
	region_end(crew.r);
}

/* Of all the threads that detach or close the same thing, one succeeds. */
static void *detach_same(void *arg)
{
	struct crew *crew = arg;

	pthread_barrier_wait(&crew->start);
	if (mshare_detach(crew->r, crew->p, REGION) == 0)
		atomic_fetch_add(&crew->closes, 1);
	else
		expect(crew, errno == EINVAL);
	return NULL;
}

static void *close_same(void *arg)
{
	struct crew *crew = arg;

	pthread_barrier_wait(&crew->start);
	if (mshare_close(crew->r) == 0)
		atomic_fetch_add(&crew->closes, 1);
	else
		expect(crew, errno == EBADF);
	return NULL;
}

static void one_of_many_succeeds(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct crew crew = { .r = region_make(REGION) };

		crew.p = region_attach_all(crew.r);
		run_crew(&crew, detach_same);
		check_equal(atomic_load(&crew.closes), 1);
		check(!proc_mapped(crew.p, REGION));
		atomic_store(&crew.closes, 0);
		run_crew(&crew, close_same);
		check_equal(atomic_load(&crew.closes), 1);
	}
}

/* Each call either works on the region or says EBADF. */
static void *call_until_closed(void *arg)
{
	struct crew *crew = arg;
	bool closed = false;

	pthread_barrier_wait(&crew->start);
	while (!closed) {
		struct mshare_stat st = { .size = sizeof(st) };
		void *p = mshare_attach(crew->r, NULL, 0, REGION, READ_WRITE, 0);

		closed = p == MAP_FAILED;
		expect(crew, !closed || errno == EBADF);
		expect(crew, mshare_stat(crew->r, &st) == 0 || errno == EBADF);
		expect(crew, mshare_flush(crew->r, 0, pmd_size(), MSHARE_FLUSH_DISCARD) == 0 ||
				     errno == EBADF);
		if (closed)
			break;
		if (mshare_detach(crew->r, p, REGION) != 0) {
			expect(crew, errno == EBADF);
			expect(crew, munmap(p, REGION) == 0);
		}
		if (atomic_fetch_add(&crew->closes, 1) == 5 * THREADS)
			expect(crew, mshare_close(crew->r) == 0);
	}
	return NULL;
}

static void closed_during_calls(void **state)
{
	size_t before = proc_descriptors();

	(void)state;
	for (int i = 0; i < 15; i++) {
		struct crew crew = { .r = region_make(REGION) };
		struct stat file = region_file(crew.r);

		run_crew(&crew, call_until_closed);
		check_equal(proc_file_mappings(file), 0);
		check_equal(proc_descriptors(), before);
	}
}

/* A handle never means another region, also when its slot has been used again. */
static void *make_and_close(void *arg)
{
	struct crew *crew = arg;

	pthread_barrier_wait(&crew->start);
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = (size_t)(1 + i % 3) * pmd_size();
		mshare_t r = mshare_create(NULL, size, NULL);
		struct mshare_stat st = { .size = sizeof(st) };

		expect(crew, r != NULL);
		expect(crew, mshare_stat(r, &st) == 0 && st.region_size == size);
		expect(crew, mshare_close(r) == 0);
		expect(crew, mshare_stat(r, &st) == -1 && errno == EBADF);
	}
	return NULL;
}

static void many_handles(void **state)
{
	struct crew crew = { 0 };
	size_t before = proc_descriptors();

	(void)state;
	run_crew(&crew, make_and_close);
	check_equal(proc_descriptors(), before);
}

/* Each thread has its own sentence and its own errno. */
static void *fail_in_own_way(void *arg)
{
	struct crew *crew = arg;
	static atomic_int serial;
	const int level = 1000 + atomic_fetch_add(&serial, 1);
	char first[512];

	expect(crew, mshare_errmsg()[0] == '\0');
	pthread_barrier_wait(&crew->start);
	expect(crew, mshare_align(1, level) == 0 && errno == EINVAL);
	strncpy(first, mshare_errmsg(), sizeof(first) - 1);
	first[sizeof(first) - 1] = '\0';
	for (int i = 0; i < ROUNDS; i++) {
		expect(crew, mshare_align(1, level) == 0);
		expect(crew, strcmp(first, mshare_errmsg()) == 0);
	}
	expect(crew, strstr(first, "100") != NULL);
	return NULL;
}

static void own_sentences(void **state)
{
	struct crew crew = { 0 };
	char before[512];

	(void)state;
	check(mshare_close(NULL) == -1);
	strncpy(before, mshare_errmsg(), sizeof(before) - 1);
	before[sizeof(before) - 1] = '\0';
	run_crew(&crew, fail_in_own_way);
	check(before[0] && strcmp(before, mshare_errmsg()) == 0);
}

/* The first probe of a process, by all threads at once. */
static void *probe(void *arg)
{
	struct crew *crew = arg;
	struct mshare_caps caps = { .size = sizeof(caps) };

	pthread_barrier_wait(&crew->start);
	expect(crew, mshare_probe(&caps) == 0);
	expect(crew, caps.backend[backend_id()].error == 0);
	return NULL;
}

static void probed_together(void **state)
{
	struct crew crew = { 0 };

	(void)state;
	run_crew(&crew, probe);
}

struct cancelled {
	mshare_t r;
	char name[NAME_SIZE];
	bool calls_ended, good;
};

static bool call_everything(const struct cancelled *c)
{
	struct mshare_stat st = { .size = sizeof(st), .want = MSHARE_STAT_TABLES };
	mshare_t named = mshare_create(c->name, pmd_size(), NULL);
	void *p = mshare_attach(c->r, NULL, 0, pmd_size(), READ_WRITE, MSHARE_POPULATE);

	return named && p != MAP_FAILED && mshare_stat(c->r, &st) == 0 &&
	       mshare_flush(c->r, 0, 0, MSHARE_FLUSH_DISCARD) == 0 &&
	       mshare_detach(c->r, p, pmd_size()) == 0 && mshare_unlink(c->name) == 0 &&
	       mshare_close(named) == 0;
}

/* Ends at the first cancellation point there is. */
static void *call_when_cancelled(void *arg)
{
	struct cancelled *c = arg;

	pthread_cancel(pthread_self());
	c->good = call_everything(c);
	c->calls_ended = true;
	pthread_testcancel();
	return NULL;
}

static void no_call_is_a_cancellation_point(void **state)
{
	struct cancelled c = { .r = region_make(pmd_size()) };
	struct stat st;
	pthread_t thread;
	void *result;
	int fd = mshare_fd(c.r);

	(void)state;
	name_make(c.name, "cancel");
	check(pthread_create(&thread, NULL, call_when_cancelled, &c) == 0);
	check(pthread_join(thread, &result) == 0);
	check(c.calls_ended && c.good);
	check(result == PTHREAD_CANCELED);
	region_end(c.r);
	check(fstat(fd, &st) == -1);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(probed_together), /* first: nothing is cached yet */
		cmocka_unit_test(one_handle_for_all),
		cmocka_unit_test(one_of_many_succeeds),
		cmocka_unit_test(closed_during_calls),
		cmocka_unit_test(many_handles),
		cmocka_unit_test(own_sentences),
		cmocka_unit_test(no_call_is_a_cancellation_point),
	};

	return RUN_CASES(cases);
}
