/* SPDX-License-Identifier: MIT */
/* Huge pages mapped: /proc/PID/smaps. */
#include <stdio.h>
#include <stdlib.h>

#include "census.h"

static bool huge_kib(const char *line, unsigned long long *kib)
{
	return sscanf(line, "ShmemPmdMapped: %llu", kib) == 1 ||
	       sscanf(line, "FilePmdMapped: %llu", kib) == 1 ||
	       sscanf(line, "Shared_Hugetlb: %llu", kib) == 1 ||
	       sscanf(line, "Private_Hugetlb: %llu", kib) == 1;
}

/* Linked mappings have no page of their own: the module tells about them. */
static struct census_region *region_of(struct census *c, const struct mapping *m, pid_t pid)
{
	struct census_region *r = NULL;

	if (m->shared && !m->linked)
		r = census_region(c, m->dev, m->ino, false);
	return r && r->seen_in == pid ? r : NULL;
}

void census_huge(struct census *c, pid_t pid)
{
	struct census_region *r = NULL;
	unsigned long long kib;
	struct mapping m;
	char *line = NULL;
	size_t size = 0;
	char path[64];
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	smaps = fopen(path, "re");
	while (smaps && getline(&line, &size, smaps) > 0) {
		if (mapping_parse(line, &m))
			r = region_of(c, &m, pid);
		else if (r && huge_kib(line, &kib))
			r->huge_bytes += kib * KIB;
	}
	free(line);
	if (smaps)
		fclose(smaps);
}
