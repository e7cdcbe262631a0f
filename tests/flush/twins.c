/* SPDX-License-Identifier: MIT */
#include "twins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flush.h"

static int flush_any(int fd, off_t off, uint64_t len)
{
	bool used_uring;

	return flush_data(fd, off, len, &used_uring);
}

static const struct twin twins[] = {
	{ "uring", flush_uring },
	{ "sync", flush_sync },
	{ "data", flush_any },
};

const struct twin *twin_by_name(const char *name)
{
	int err = strcmp(name, "uring") == 0 ? flush_uring_probe() : 0;

	if (err) {
		printf("skipped: io_uring cannot be used: %s\n", strerror(-err));
		exit(77);
	}
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++)
		if (strcmp(name, twins[i].name) == 0)
			return &twins[i];
	fprintf(stderr, "no twin is called %s\n", name);
	exit(2);
}
