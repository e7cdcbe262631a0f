/* SPDX-License-Identifier: MIT */
/*
 * A buffer pool in a region: frames that hold pages of the data file, a hash table that finds
 * them, and clock sweep to choose who goes. Every process works on it directly.
 *
 *   struct pool | buckets: uint32_t each | struct frame each | struct page each, 8 KiB aligned
 *
 * Nothing in it is a pointer: links are frame numbers, so it may be attached anywhere.
 *
 * Any user may be killed at any instant, and the others go on:
 *   - A lock is a robust mutex: the next to take it learns that its owner died, and rebuilds what
 *     it guards, one partition of the hash table, from the frames, which are never half changed.
 *   - A pin is a bit, one per user, not a count: whose pins are whose is known after a death.
 *   - A page is read into a frame that its reader has claimed and nobody can find. It becomes
 *     visible when it is complete and its checksum is right.
 * pool_forget_user() takes the pins and the claim of a dead user back.
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data-file.h"

#define POOL_USERS_MAX 256

struct pool;

/* One process that uses the pool. Lives in its own memory, not in the region. */
struct pool_user {
	struct pool *pool;
	unsigned int id; /* below POOL_USERS_MAX; nobody else's while this one lives */
	int data_fd;
	uint64_t misses;
	bool die_evicting; /* for showing off: dies half way through its first eviction */
};

struct pool_summary {
	uint64_t frames;
	uint64_t resident; /* frames that hold a page */
	uint64_t wrong; /* pages with a wrong checksum, lost or twice in the hash table */
	uint64_t pinned; /* pins and claims that nobody took back */
	uint64_t repairs; /* partitions rebuilt after a death */
};

/* How many frames fit into `size` bytes. */
uint64_t pool_capacity(size_t size);

uint64_t pool_frames(const struct pool *pool);

/* Makes an empty pool in zeroed memory. Before anybody else uses it. False and errno. */
bool pool_format(struct pool *pool, size_t size);

/* The page, held in its frame until it is unpinned; one at a time. NULL: it cannot be read. */
const struct page *pool_pin(struct pool_user *user, uint64_t number);
void pool_unpin(struct pool_user *user, const struct page *page);

/* Takes back what a dead user held; its id may then be used again. */
void pool_forget_user(struct pool *pool, unsigned int id);

/* Looks at everything. All users have left. */
struct pool_summary pool_examine(struct pool *pool);

#endif
