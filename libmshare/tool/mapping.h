/* SPDX-License-Identifier: MIT */
/* A line of /proc/PID/maps or smaps that begins a mapping. */
#ifndef MSHARE_MAPPING_H
#define MSHARE_MAPPING_H

#include "util.h"

struct mapping {
	uintptr_t start, end;
	dev_t dev;
	ino_t ino;
	bool linked; /* by the kernel module; dev and ino are those of the file behind it */
	bool shared;
	char *path; /* in the line, which is cut where it ends; "" for memory without a file */
};

/* False: it is no such line. */
bool mapping_parse(char *line, struct mapping *m);

/* Cuts this end off, if that is how the text ends. */
void mapping_cut_end(char *text, const char *end);

#endif
