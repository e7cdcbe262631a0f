/* SPDX-License-Identifier: MIT */
/* Signals during every call, with a handler that makes system calls return EINTR: no call does. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "object.h"
#include "proc.h"
#include "rain.h"

#define REGION (2 * pmd_size())
#define SIGNALS 300
#define ROUNDS_AT_MOST 100000

static void make_and_end(void *arg)
{
	const char *name = arg;
	mshare_t r = mshare_create(name, REGION, NULL), other;

	check(r);
	other = mshare_open(name, O_RDWR, NULL);
	check(other);
	check(mshare_unlink(name) == 0);
	region_end(other);
	other = mshare_from_fd(mshare_fd(r), NULL);
	check(other);
	region_end(other);
	region_end(r);
}

static void names_and_handles(void **state)
{
	char name[NAME_SIZE];

	(void)state;
	name_make(name, "signals");
	in_the_rain(make_and_end, name, SIGNALS, ROUNDS_AT_MOST);
	check_equal(name_count(name), 0);
}

static void attach_and_detach(void *arg)
{
	static const unsigned int flags[] = { 0, MSHARE_POPULATE, MSHARE_SAME_ADDR };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		void *p = mshare_attach(arg, NULL, 0, REGION, READ_WRITE, flags[i]);

		check(p != MAP_FAILED);
		check(mshare_detach(arg, p, REGION) == 0);
	}
}

static void attachments(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	in_the_rain(attach_and_detach, r, SIGNALS, ROUNDS_AT_MOST);
	check_equal(region_stat(r, 0).attachments, 0);
	region_end(r);
}

static void fill_and_discard(void *arg)
{
	void *p = mshare_attach(arg, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);

	check(p != MAP_FAILED);
	check(mshare_flush(arg, 0, 0, MSHARE_FLUSH_DATA) == 0);
	check(mshare_flush(arg, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	check(mshare_detach(arg, p, REGION) == 0);
}

static void populate_and_discard(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	in_the_rain(fill_and_discard, r, SIGNALS, ROUNDS_AT_MOST);
	check_equal(region_stat(r, 0).used, 0);
	region_end(r);
}

struct written {
	mshare_t r;
	char *p;
	char byte;
};

static void write_and_flush(void *arg)
{
	struct written *written = arg;

	memset(written->p, ++written->byte, REGION);
	check(mshare_flush(written->r, 0, 0, MSHARE_FLUSH_DATA) == 0);
}

static void write_back(void **state)
{
	struct written written = { 0 };
	int fd;

	(void)state;
	if (!backend_takes_files())
		return;
	fd = disk_file(REGION);
	written.r = mshare_from_fd(fd, NULL);
	check(written.r);
	written.p = region_attach_all(written.r);
	in_the_rain(write_and_flush, &written, SIGNALS, ROUNDS_AT_MOST);
	region_end(written.r);
	close(fd);
}

static void look(void *arg)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	region_stat(arg, MSHARE_STAT_ATTACHERS | MSHARE_STAT_TABLES);
	check(mshare_probe(&caps) == 0);
	check_equal(caps.backend[backend_id()].error, 0);
}

static void facts(void **state)
{
	mshare_t r = region_make(REGION);

	(void)state;
	region_attach_all(r);
	in_the_rain(look, r, SIGNALS, ROUNDS_AT_MOST);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(facts), /* first: with the first probe of the process */
		cmocka_unit_test(names_and_handles),
		cmocka_unit_test(attachments),
		cmocka_unit_test(populate_and_discard),
		cmocka_unit_test(write_back),
	};

	return RUN_CASES(cases);
}
