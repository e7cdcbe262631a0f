/* SPDX-License-Identifier: MIT */
/*
 * buffer-pool: what a database does with a region.
 *
 * A pool of 8 KiB pages, a shared hash table, clock-sweep eviction, pins and robust locks, used by
 * many worker processes at once, some of which are killed half way. It runs twice: with base pages,
 * as mmap(2) would give, and with whatever is best on this machine. Everything but the few calls in
 * this file is the same in both runs.
 */
#include <err.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <mshare.h>

#include "crew.h"
#include "data-file.h"
#include "options.h"
#include "pool.h"
#include "report.h"

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/*
 * The whole of what a database has to do to have its pool in a region. MSHARE_POPULATE allocates
 * the memory now, in huge pages where there are any, and not in the middle of the first queries.
 */
static struct pool *make_pool(mshare_t *region, size_t size, uint32_t prefer)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	struct pool *pool;

	attr.prefer = prefer;
	*region = mshare_create(NULL, size, &attr);
	if (!*region)
		errx(EXIT_FAILURE, "cannot create the pool: %s", mshare_errmsg());
	pool = mshare_attach(*region, NULL, 0, size, PROT_READ | PROT_WRITE, MSHARE_POPULATE);
	if (pool == MAP_FAILED)
		errx(EXIT_FAILURE, "cannot attach the pool: %s", mshare_errmsg());
	if (!pool_format(pool, size))
		err(EXIT_FAILURE, "cannot make a pool of %zu bytes", size);
	return pool;
}

/* Fills the pool, as a database does after a restart, so that the workers find it at work. */
static void warm_up(struct pool *pool, int data_fd)
{
	struct pool_user loader = { .pool = pool, .data_fd = data_fd };
	uint64_t frames = pool_frames(pool);

	for (uint64_t number = 0; number < frames; number++) {
		const struct page *page = pool_pin(&loader, number);

		if (!page)
			errx(EXIT_FAILURE, "cannot load page %llu", (unsigned long long)number);
		pool_unpin(&loader, page);
	}
}

static void drop_pool(mshare_t region, struct pool *pool, size_t size)
{
	if (mshare_detach(region, pool, size) < 0 || mshare_close(region) < 0)
		errx(EXIT_FAILURE, "cannot give the pool back: %s", mshare_errmsg());
}

static struct run run_once(const struct options *options, const char *title, uint32_t prefer,
			   int data_fd, uint64_t data_pages)
{
	struct run run = { .title = title, .region.size = sizeof(run.region) };
	double begin = now_ms();
	mshare_t region;
	struct pool *pool = make_pool(&region, options->size, prefer);
	struct crew_plan plan = { .pool = pool,
				  .data_fd = data_fd,
				  .data_pages = data_pages,
				  .workers = options->workers,
				  .seconds = options->seconds,
				  .requests = options->requests,
				  .kills = options->kills };

	run.ready_ms = now_ms() - begin;
	warm_up(pool, data_fd);
	if (!crew_run(&plan, &run.crew))
		exit(EXIT_FAILURE);
	run.pool = pool_examine(pool);
	if (mshare_stat(region, &run.region) < 0)
		errx(EXIT_FAILURE, "cannot ask about the pool: %s", mshare_errmsg());
	drop_pool(region, pool, options->size);
	return run;
}

int main(int argc, char **argv)
{
	struct options options = options_from(argc, argv);
	uint64_t frames = pool_capacity(options.size);
	uint64_t data_pages = frames + frames / 4; /* some have to go when others come */
	struct run runs[2];
	unsigned int count = 0;
	bool good = true;
	int data_fd;

	data_fd = data_file_make(options.directory, data_pages);
	if (data_fd < 0)
		err(EXIT_FAILURE, "cannot write %llu pages in %s", (unsigned long long)data_pages,
		    options.directory);
	report_plan(&options, frames, data_pages);
	if (options.compare) /* MSHARE_BACKEND, when set, decides for both runs */
		runs[count++] =
			run_once(&options, "base pages", MSHARE_PAGES_BASE, data_fd, data_pages);
	runs[count++] = run_once(&options, "libmshare", MSHARE_PAGES_AUTO, data_fd, data_pages);
	close(data_fd);

	report_runs(runs, count);
	for (unsigned int i = 0; i < count; i++)
		good = report_verdict(&runs[i], &options) && good;
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
