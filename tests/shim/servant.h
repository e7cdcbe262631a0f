/* SPDX-License-Identifier: MIT */
/* A host that does what it is told: what it does is over when the call returns. */
#ifndef TEST_SERVANT_H
#define TEST_SERVANT_H

#include "scene.h"

struct servant {
	int orders, answers; /* pipes */
	char *at; /* of its mapping, in its own address space */
};

/* The usual scene, with such a host. */
struct scene scene_make_served(int fd, size_t size, struct servant *servant);
/* Runs deed in the host, on its own mapping. It may fail checks, which fails the test. */
void servant_do(const struct servant *servant, host_body *deed);
/* Before scene_end(): the host becomes an ordinary one, its mapping as it was. */
void servant_dismiss(struct servant *servant);

/* Deeds. All of the mapping as it was at first; nothing of it. */
void deed_restore(const struct mapping *own);
void deed_unmap(const struct mapping *own);

#endif
