/* SPDX-License-Identifier: MIT */
#include "mapping.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LINK_NAME "anon_inode:[mshare] "

void mapping_cut_end(char *text, const char *end)
{
	size_t length = strlen(text);
	size_t cut = strlen(end);

	if (length >= cut && !strcmp(text + length - cut, end))
		text[length - cut] = '\0';
}

bool mapping_parse(char *line, struct mapping *m)
{
	unsigned int major_number, minor_number;
	unsigned long start, end, inode;
	char rights[5];
	int path = 0;

	if (sscanf(line, "%lx-%lx %4s %*x %x:%x %lu%n", &start, &end, rights, &major_number,
		   &minor_number, &inode, &path) != 6)
		return false;
	m->path = line + path + strspn(line + path, " ");
	mapping_cut_end(m->path, "\n");
	m->linked = !strncmp(m->path, LINK_NAME, strlen(LINK_NAME));
	if (m->linked && sscanf(m->path + strlen(LINK_NAME), "%x:%x %lu", &major_number,
				&minor_number, &inode) != 3)
		return false;
	m->start = start;
	m->end = end;
	m->shared = rights[3] == 's';
	m->dev = makedev(major_number, minor_number);
	m->ino = inode;
	return true;
}
