/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

/* "0" or "0-3" */
int node_last(void)
{
	static int last = -1;
	int first, n;
	FILE *file;

	if (last >= 0)
		return last;
	file = fopen("/sys/devices/system/node/has_memory", "re");
	check(file);
	n = fscanf(file, "%d-%d", &first, &last);
	fclose(file);
	check(n >= 1 && first == 0);
	if (n == 1)
		last = 0;
	print_message("nodes: %d\n", last + 1);
	return last;
}

unsigned long node_mask(int node)
{
	return 1ul << node;
}

int node_bind(char *at, size_t size, int mode, unsigned long nodes, unsigned int flags)
{
	return syscall(SYS_mbind, at, size, mode, &nodes, 64, flags) ? -errno : 0;
}
