/* SPDX-License-Identifier: MIT */
#include "interrupts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* The columns behind the name, one for each processor; the description ends them. */
static uint64_t sum_columns(char *line)
{
	uint64_t sum = 0;
	char *end;

	for (;;) {
		unsigned long long n = strtoull(line, &end, 10);

		if (end == line)
			return sum;
		sum += n;
		line = end;
	}
}

uint64_t interrupts_between_cpus(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned int found = 0;
	uint64_t sum = 0;
	char line[4096];

	check(file);
	while (fgets(line, sizeof(line), file)) {
		char *name = line + strspn(line, " ");

		if (strncmp(name, "CAL:", 4) != 0 && strncmp(name, "TLB:", 4) != 0)
			continue;
		sum += sum_columns(name + 4);
		found++;
	}
	fclose(file);
	check_equal(found, 2);
	return sum;
}
