/* SPDX-License-Identifier: MIT */
/* Who has announced itself: /proc/locks, which shows everybody's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "census.h"
#include "host.h"

static void mark(struct census *c, const char *line)
{
	unsigned int major_number, minor_number;
	unsigned long ino;
	long long first;
	struct census_region *r;

	/* Not those that wait, which have an arrow behind the number. */
	if (sscanf(line, "%*u: OFDLCK ADVISORY %*s %*d %x:%x:%lu %lld", &major_number,
		   &minor_number, &ino, &first) != 4)
		return;
	if (first != PRESENCE_BYTE && first != HOST_BYTE)
		return;
	r = census_region(c, makedev(major_number, minor_number), ino, false);
	if (!r)
		return;
	if (first == PRESENCE_BYTE)
		r->announced = true;
	else
		r->host = true;
}

void census_locks(struct census *c)
{
	FILE *locks = fopen("/proc/locks", "re");
	char *line = NULL;
	size_t size = 0;

	if (!locks) /* then backends are told by their mappings alone */
		return;
	while (getline(&line, &size, locks) > 0)
		mark(c, line);
	free(line);
	fclose(locks);
}
