/* SPDX-License-Identifier: MIT */
/* Nodes of memory of the machine, all of which have some: 0 to node_last(). */
#ifndef TEST_NODE_H
#define TEST_NODE_H

#include <stddef.h>

int node_last(void);
unsigned long node_mask(int node);

/* mbind(2) of [at, at + size) for the nodes of a mask: 0 or -errno. */
int node_bind(char *at, size_t size, int mode, unsigned long nodes, unsigned int flags);

#endif
