/* SPDX-License-Identifier: MIT */
/* No call leaves a descriptor, a mapping or a name behind, whether it succeeds or fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "object.h"
#include "proc.h"

#define REGION (2 * pmd_size())
#define REPEATS 20

/* What the steps work on; set up once. */
static mshare_t region;
static char name[NAME_SIZE];
static int unsuitable[2]; /* a pipe */

static void anonymous(void)
{
	region_end(region_make(REGION));
}

static void named(void)
{
	char other[NAME_SIZE];
	mshare_t r = mshare_create(name_make(other, "leak"), REGION, NULL);

	check(r && mshare_unlink(other) == 0);
	region_end(r);
}

static void opened(void)
{
	mshare_t r = mshare_open(name, O_RDWR, NULL);

	check(r);
	region_end(r);
}

static void from_descriptor(void)
{
	mshare_t r = mshare_from_fd(mshare_fd(region), NULL);

	check(r);
	region_end(r);
}

static void attached_with(unsigned int flags)
{
	void *p = mshare_attach(region, NULL, 0, REGION, READ_WRITE, flags);

	check(p != MAP_FAILED);
	check(mshare_detach(region, p, REGION) == 0);
}

static void attached(void)
{
	attached_with(0);
}

static void attached_populated(void)
{
	attached_with(MSHARE_POPULATE);
}

static void attached_same_addr(void)
{
	attached_with(MSHARE_SAME_ADDR);
}

static void looked_at(void)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	region_stat(region, MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	check(mshare_probe(&caps) == 0);
}

static void flushed(void)
{
	check(mshare_flush(region, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(mshare_flush(region, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
}

static void file_flushed(void)
{
	int fd = disk_file(REGION);
	mshare_t r = mshare_from_fd(fd, NULL);

	check(backend_takes_files() == (r != NULL));
	if (r) {
		char *p = region_attach_all(r);

		p[0] = 1;
		check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DATA) == 0);
		check(mshare_detach(r, p, REGION) == 0);
		region_end(r);
	}
	close(fd);
}

static void creation_refused(void)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	check(!mshare_create(NULL, SIZE_MAX, NULL) && errno == EOVERFLOW);
	check(!mshare_create(name, REGION, NULL) && errno == EEXIST);
	attr.require = MSHARE_PAGES_PUD;
	check(!mshare_create(NULL, SIZE_MAX / 4, &attr));
	check(!mshare_create("/mshare-test-refused", SIZE_MAX / 4, &attr));
	check_equal(name_count("/mshare-test-refused"), 0);
}

static void opening_refused(void)
{
	check(!mshare_open("/mshare-test-none", O_RDWR, NULL) && errno == ENOENT);
	check(!mshare_open(name, O_WRONLY, NULL) && errno == EINVAL);
	check(!mshare_from_fd(unsuitable[0], NULL) && errno == ENODEV);
	check(!mshare_from_fd(-1, NULL) && errno == EBADF);
}

static void empty_refused(void)
{
	int fd = memory_file(0);

	check(!mshare_from_fd(fd, NULL) && errno == EINVAL);
	close(fd);
}

static void attachment_refused(void)
{
	void *p = mshare_attach(region, NULL, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR);

	check(p != MAP_FAILED);
	check(mshare_attach(region, p, 0, REGION, READ_WRITE, MSHARE_FIXED) == MAP_FAILED);
	check_equal(errno, EEXIST);
	check(mshare_attach(region, NULL, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR) == MAP_FAILED);
	check_equal(errno, EADDRINUSE);
	check(mshare_attach(region, NULL, 0, 2 * REGION, READ_WRITE, 0) == MAP_FAILED);
	check(mshare_detach(region, p, 1) == -1);
	check(mshare_detach(region, p, REGION) == 0);
}

static void flush_refused(void)
{
	check(mshare_flush(region, 1, 1, MSHARE_FLUSH_DISCARD) == -1);
	check(mshare_flush(region, 0, SIZE_MAX, MSHARE_FLUSH_DATA) == -1);
}

/* Memory that goes by munmap(2) after the handle is closed leaves nothing in the library. */
static void closed_while_attached(void)
{
	mshare_t r = region_make(REGION);
	void *p = region_attach_all(r);

	region_end(r);
	check(munmap(p, REGION) == 0);
}

static const struct {
	const char *what;
	void (*step)(void);
} steps[] = {
	{ "create", anonymous },
	{ "create by name", named },
	{ "open", opened },
	{ "from_fd", from_descriptor },
	{ "attach", attached },
	{ "attach populated", attached_populated },
	{ "attach at one address", attached_same_addr },
	{ "stat and probe", looked_at },
	{ "flush", flushed },
	{ "flush of a file", file_flushed },
	{ "create refused", creation_refused },
	{ "open refused", opening_refused },
	{ "from_fd of an empty file", empty_refused },
	{ "attach refused", attachment_refused },
	{ "flush refused", flush_refused },
	{ "close before munmap", closed_while_attached },
};

static void every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct proc_footprint before;

		steps[i].step(); /* what is kept for the whole process comes into being here */
		before = proc_footprint();
		for (int n = 0; n < REPEATS; n++)
			steps[i].step();
		proc_check_footprint(&before, steps[i].what);
	}
}

/* Neither do a first use and all that is kept for the process hold any descriptor. */
static void no_descriptor_is_kept(void **state)
{
	size_t before = proc_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		steps[i].step();
	check_equal(proc_descriptors(), before);
}

static int set_up(void **state)
{
	(void)state;
	region = mshare_create(name_make(name, "leaks"), REGION, NULL);
	return !region || pipe2(unsuitable, O_CLOEXEC) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(unsuitable[0]);
	close(unsuitable[1]);
	return mshare_unlink(name) || mshare_close(region);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup_teardown(no_descriptor_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_call, set_up, tear_down),
	};

	return RUN_CASES(cases);
}
