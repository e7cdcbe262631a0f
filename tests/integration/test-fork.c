/* SPDX-License-Identifier: MIT */
/* fork(2): children have the handles and attachments and may use every call at once, whatever the
 * parent's other threads are doing. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())
#define GENERATIONS 5
#define THREADS 3
#define FORKS 60

struct family {
	mshare_t r;
	char *p;
	int generation;
};

static void handle_and_attachment_work(void *arg)
{
	struct family *family = arg;
	mshare_t r = family->r;
	char *q;

	bytes_check(family->p, pmd_size(), 1);
	check_equal(region_stat(r, 0).attachments, 1);
	q = region_attach_all(r);
	q[REGION - 1] = 'c';
	check(mshare_detach(r, q, REGION) == 0);
	check(mshare_detach(r, family->p, REGION) == 0);
	check(!proc_mapped(family->p, REGION));
	region_end(r);
	check_refused(mshare_close(r) == -1, EBADF);
}

static void child_has_everything(void **state)
{
	struct family family = { .r = region_make(REGION) };

	(void)state;
	family.p = region_attach_all(family.r);
	bytes_fill(family.p, pmd_size(), 1);
	child_run(handle_and_attachment_work, &family);
	check_equal(family.p[REGION - 1], 'c');
	check_equal(region_stat(family.r, 0).attachments, 1);
	check(mshare_detach(family.r, family.p, REGION) == 0);
	region_end(family.r);
}

static void generation(void *arg)
{
	struct family *family = arg;
	char *q = region_attach_all(family->r);

	check_equal(family->p[0], family->generation);
	family->p[0] = (char)++family->generation;
	if (family->generation < GENERATIONS)
		child_run(generation, family);
	check_equal(q[0], GENERATIONS);
	check(mshare_detach(family->r, q, REGION) == 0);
}

static void five_generations(void **state)
{
	struct family family = { .r = region_make(REGION) };

	(void)state;
	family.p = region_attach_all(family.r);
	child_run(generation, &family);
	check_equal(family.p[0], GENERATIONS);
	region_end(family.r);
}

static void makes_a_region(void *arg)
{
	mshare_t r = region_make(REGION);

	(void)arg;
	bytes_fill(region_attach_all(r), REGION, 2);
	region_end(r);
}

static void child_makes_its_own(void **state)
{
	struct proc_footprint before;

	(void)state;
	child_run(makes_a_region, NULL);
	before = proc_footprint();
	child_run(makes_a_region, NULL);
	proc_check_footprint(&before, "the child's region");
}

struct busy {
	mshare_t r;
	atomic_bool stop;
	atomic_ulong rounds;
	atomic_bool failed;
};

static void *keep_calling(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->stop)) {
		struct mshare_stat st = { .size = sizeof(st) };
		mshare_t r = mshare_from_fd(mshare_fd(busy->r), NULL);
		void *p = mshare_attach(busy->r, NULL, 0, pmd_size(), READ_WRITE, 0);

		if (!r || p == MAP_FAILED || mshare_stat(busy->r, &st) != 0 ||
		    mshare_detach(busy->r, p, pmd_size()) != 0 || mshare_close(r) != 0)
			atomic_store(&busy->failed, true);
		atomic_fetch_add(&busy->rounds, 1);
	}
	return NULL;
}

/* Without care in the library, a child born while a thread held its lock would wait forever here.
 */
static void use_every_call(void *arg)
{
	struct busy *busy = arg;
	mshare_t r = mshare_from_fd(mshare_fd(busy->r), NULL);
	char *p;

	alarm(60);
	check(r);
	p = region_attach_all(r);
	p[1] = 'x';
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(region_stat(busy->r, 0).region_size == REGION);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
	check(mshare_align(0, MSHARE_ALIGN_AUTO) == 0 && mshare_errmsg()[0]);
}

static void while_threads_call(void **state)
{
	struct busy busy = { .r = region_make(REGION) };
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, keep_calling, &busy) == 0);
	while (atomic_load(&busy.rounds) < THREADS)
		usleep(100);
	for (int i = 0; i < FORKS; i++)
		child_run(use_every_call, &busy);
	atomic_store(&busy.stop, true);
	for (int i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	check(!atomic_load(&busy.failed));
	check_equal(region_stat(busy.r, 0).attachments, 0);
	region_end(busy.r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(child_has_everything),
		cmocka_unit_test(five_generations),
		cmocka_unit_test(child_makes_its_own),
		cmocka_unit_test(while_threads_call),
	};

	return RUN_CASES(cases);
}
