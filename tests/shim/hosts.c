/* SPDX-License-Identifier: MIT */
#include "hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

void nobody_hosts(void)
{
	check(COMES_TRUE(hosts(NULL) == 0));
}

void is_shared(mshare_t r)
{
	struct mshare_stat st = region_stat(r, 0);

	if (st.backend != MSHARE_BACKEND_SHIM)
		fprintf(stderr, "backend %u: %s\n", st.backend, st.reason);
	check_equal(st.backend, MSHARE_BACKEND_SHIM);
	check(st.flags & MSHARE_STAT_F_SHARED_TABLES);
	check(st.flags & MSHARE_STAT_F_HOST);
}

void is_plain_because(mshare_t r, const char *why)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	struct mshare_stat st;
	mshare_t strict;
	char *p = mshare_attach(r, NULL, 0, HOSTS_REGION, READ_WRITE, 0);

	check(p != MAP_FAILED);
	bytes_fill(p, HOSTS_REGION, 1);
	bytes_check(p, HOSTS_REGION, 1);
	st = region_stat(r, 0);
	check_equal(st.backend, MSHARE_BACKEND_PLAIN);
	check(!(st.flags & MSHARE_STAT_F_SHARED_TABLES));
	if (!strstr(st.reason, why))
		fprintf(stderr, "reason: %s\n", st.reason);
	check(strstr(st.reason, why));
	check(mshare_detach(r, p, HOSTS_REGION) == 0);
	attr.flags = MSHARE_REQUIRE_SHARED_TABLES;
	strict = mshare_from_fd(mshare_fd(r), &attr);
	check(strict);
	check_refused(mshare_attach(strict, NULL, 0, HOSTS_REGION, READ_WRITE, 0) == MAP_FAILED,
		      EOPNOTSUPP);
	region_end(strict);
}

int hosts_main(const struct CMUnitTest *cases, size_t count)
{
	setenv("MSHARE_BACKEND", "shim", 1);
	setenv("MSHARE_TEST_DIR", "/scratch", 0);
	names_guard();
	return shim_main(cases, count);
}
