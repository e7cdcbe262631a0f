/* SPDX-License-Identifier: MIT */
/*
 * Each setting of huge pages for shared memory that an administrator can make, also while regions
 * are in use: memory is there, and the library says what it is. The setting is the machine's, so
 * this runs in guests only (tests/guest/suite-long.list).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define SETTING "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define REGION (4 * pmd_size())

static void set(const char *value)
{
	int fd = open(SETTING, O_WRONLY | O_CLOEXEC);

	check(fd >= 0);
	check(write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

static struct mshare_caps probed(void)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	check(mshare_probe(&caps) == 0);
	return caps;
}

static mshare_t made(uint32_t require)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;

	attr.require = require;
	return mshare_create(NULL, REGION, &attr);
}

static void use(mshare_t r)
{
	char *p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0), *populated;

	check(p != MAP_FAILED);
	bytes_fill(p, REGION, 1);
	populated = mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);
	check(populated != MAP_FAILED);
	bytes_check(populated, REGION, 1);
}

static void denied(void *unused)
{
	struct mshare_caps caps = probed();
	mshare_t r = made(MSHARE_PAGES_AUTO);

	(void)unused;
	check(!(caps.features & (MSHARE_CAP_THP_FAULT | MSHARE_CAP_THP_COLLAPSE)));
	check_equal(caps.backend[MSHARE_BACKEND_THP].error, EOPNOTSUPP);
	check(strstr(caps.backend[MSHARE_BACKEND_THP].reason, SETTING));
	check(r);
	check(region_stat(r, 0).pages == MSHARE_PAGES_BASE);
	check(region_stat(r, 0).reason[0]);
	use(r);
	check_equal(region_stat(r, MSHARE_STAT_TABLES).huge_bytes, 0);
	check_refused(!made(MSHARE_PAGES_THP), EOPNOTSUPP);
}

static void when_filled(void *unused)
{
	struct mshare_caps caps = probed();
	mshare_t r = made(MSHARE_PAGES_THP);

	(void)unused;
	check(!(caps.features & MSHARE_CAP_THP_FAULT));
	check(caps.features & MSHARE_CAP_THP_COLLAPSE);
	check(r);
	use(r);
	check(region_stat(r, MSHARE_STAT_TABLES).huge_bytes >= REGION);
}

static void when_touched(void *unused)
{
	mshare_t r = made(MSHARE_PAGES_THP);
	char *p;

	(void)unused;
	check(probed().features & MSHARE_CAP_THP_FAULT);
	check(r);
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0);
	check(p != MAP_FAILED);
	p[0] = 1;
	check_equal(region_stat(r, 0).used, pmd_size());
	use(r);
}

/* What has been found out holds no longer: no harm comes of it. */
static void denied_while_in_use(void *unused)
{
	mshare_t r = made(MSHARE_PAGES_THP);

	(void)unused;
	check(r);
	set("deny");
	use(r);
	region_end(r);
	r = made(MSHARE_PAGES_THP); /* tried once for each process */
	check(r);
	use(r);
}

static void run_with(const char *setting, child_body *body)
{
	set(setting);
	child_run(body, NULL);
	set("never");
}

static void deny(void **state)
{
	(void)state;
	run_with("deny", denied);
}

static void never(void **state)
{
	(void)state;
	run_with("never", when_filled);
}

static void advise(void **state)
{
	(void)state;
	run_with("advise", when_touched);
}

static void always(void **state)
{
	(void)state;
	run_with("always", when_touched);
}

static void deny_later(void **state)
{
	(void)state;
	run_with("never", denied_while_in_use);
	run_with("advise", denied_while_in_use);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(deny),	  cmocka_unit_test(never),	cmocka_unit_test(advise),
		cmocka_unit_test(always), cmocka_unit_test(deny_later),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
