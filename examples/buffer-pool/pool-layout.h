/* SPDX-License-Identifier: MIT */
/* What a pool looks like in memory: for pool.c and hash-table.c only. */
#ifndef POOL_LAYOUT_H
#define POOL_LAYOUT_H

#include <pthread.h>
#include <stdatomic.h>

#include "pool.h"

#define CACHE_LINE 64
#define PARTITIONS 128 /* locks: more than workers that run at one time */
#define NO_FRAME UINT32_MAX
#define NO_PAGE UINT64_MAX
#define PIN_WORDS (POOL_USERS_MAX / 64)

/*
 * page: written by the frame's claimer only; to or from a page number under the lock of that page's
 * partition. It alone says which pages are in the pool; the chains can be rebuilt from it.
 * next: under the lock of the partition. pins: set under that lock, cleared at any time, so that
 * "no pins", seen under the lock, stays true while the lock is held.
 */
struct frame {
	_Alignas(CACHE_LINE) _Atomic uint64_t page;
	_Atomic uint64_t pins[PIN_WORDS];
	_Atomic uint32_t claimed_by; /* user id + 1; 0: nobody */
	_Atomic uint32_t usage; /* how many times the clock hand passes it by */
	uint32_t next;
};

struct partition {
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
};

struct pool {
	uint64_t frame_count;
	uint64_t bucket_count; /* power of two; bucket b belongs to partition b % PARTITIONS */
	uint64_t frames_at; /* bytes from the pool's beginning */
	uint64_t pages_at;
	_Alignas(CACHE_LINE) _Atomic uint64_t hand; /* of the clock; counts up for ever */
	_Alignas(CACHE_LINE) _Atomic uint64_t repairs;
	struct partition partitions[PARTITIONS];
	_Alignas(CACHE_LINE) uint32_t buckets[];
};

static inline struct frame *pool_frame(struct pool *pool, uint64_t index)
{
	void *frames = (char *)pool + pool->frames_at;

	return (struct frame *)frames + index;
}

static inline struct page *pool_page(struct pool *pool, uint64_t index)
{
	void *pages = (char *)pool + pool->pages_at;

	return (struct page *)pages + index;
}

/* hash-table.c */

/* Locks the partition a page belongs to, repaired if its last owner died. Returns its number. */
unsigned int table_lock(struct pool *pool, uint64_t page);
void table_unlock(struct pool *pool, unsigned int partition);

/* The next three with the page's partition locked. */
uint32_t table_find(struct pool *pool, uint64_t page); /* NO_FRAME: not in the pool */
void table_link(struct pool *pool, uint32_t index);
void table_unlink(struct pool *pool, uint32_t index);

bool table_format(struct pool *pool);

#endif
