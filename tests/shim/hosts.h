/* SPDX-License-Identifier: MIT */
/* The hosts that libmshare starts, and what it says of a region that has one or not. */
#ifndef TEST_HOSTS_H
#define TEST_HOSTS_H

#include "backend.h"
#include "helper.h"
#include "object.h"

/* Of regions in these tests. */
#define HOSTS_REGION ((size_t)8 << 20)

/* Waits for all of them to leave. */
void nobody_hosts(void);

/* The last attachment shares tables, says mshare_stat(). */
void is_shared(mshare_t r);
/* Attaching gives an ordinary mapping, for this reason; and an error where shared tables are
 * required. */
void is_plain_because(mshare_t r, const char *why);

/* As shim_main(), with the backend forced. */
int hosts_main(const struct CMUnitTest *cases, size_t count);
#define HOSTS_MAIN(cases) hosts_main(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
