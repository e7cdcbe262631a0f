/* SPDX-License-Identifier: MIT */
#include "rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* "7f00-7f10 rw-s ...": what of it lies in the range; false if nothing does. */
static bool read_line(const char *line, const struct right *range, struct right *part)
{
	unsigned long start, end;
	char mode[5];

	if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) != 3 || end <= range->start ||
	    start >= range->end)
		return false;
	part->start = start > range->start ? start : range->start;
	part->end = end < range->end ? end : range->end;
	part->prot = (mode[0] == 'r' ? PROT_READ : 0) | (mode[1] == 'w' ? PROT_WRITE : 0);
	return true;
}

static int append(struct right **list, long count, const struct right *part)
{
	struct right *grown = reallocarray(*list, (size_t)count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[count] = *part;
	*list = grown;
	return 0;
}

static long read_all(FILE *maps, const struct right *range, struct right **list)
{
	char *line = NULL;
	size_t size = 0;
	long count = 0;
	int err = 0;

	while (!err && getline(&line, &size, maps) > 0) {
		struct right part;

		if (!read_line(line, range, &part))
			continue;
		err = append(list, count, &part);
		count += !err;
	}
	if (!err && (ferror(maps) || !count))
		err = -EIO;
	free(line);
	return err ? err : count;
}

long rights_of(const void *addr, size_t len, struct right **out)
{
	const struct right range = { (uintptr_t)addr, (uintptr_t)addr + len, 0 };
	FILE *maps = fopen("/proc/self/maps", "re");
	long count;

	*out = NULL;
	if (!maps)
		return sys_result(-1);
	count = read_all(maps, &range, out);
	fclose(maps);
	if (count < 0) {
		free(*out);
		*out = NULL;
	}
	return count;
}
