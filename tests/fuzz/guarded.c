/* SPDX-License-Identifier: MIT */
#include "guarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *make_area(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t usable = (GUARDED_MAX + page - 1) / page * page;
	char *area = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (area == MAP_FAILED || mprotect(area + usable, page, PROT_NONE) != 0) {
		perror("guarded memory");
		abort();
	}
	return area + usable;
}

void *guarded(size_t size)
{
	static char *end;

	if (size > GUARDED_MAX)
		abort();
	if (!end)
		end = make_area();
	return end - size;
}

void *guarded_copy(const void *bytes, size_t used, size_t size)
{
	char *copy = guarded(size);

	memset(copy, 0, size);
	if (used)
		memcpy(copy, bytes, used < size ? used : size);
	return copy;
}
