/* SPDX-License-Identifier: MIT */
/* The hash table: chains of frame numbers, in partitions with a robust lock each. */
#include "pool-layout.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t bucket_of(const struct pool *pool, uint64_t page)
{
	return (page * 0x9e3779b97f4a7c15 >> 20) & (pool->bucket_count - 1);
}

static unsigned int partition_of(const struct pool *pool, uint64_t page)
{
	return bucket_of(pool, page) % PARTITIONS;
}

uint32_t table_find(struct pool *pool, uint64_t page)
{
	uint32_t index = pool->buckets[bucket_of(pool, page)];

	while (index != NO_FRAME && pool_frame(pool, index)->page != page)
		index = pool_frame(pool, index)->next;
	return index;
}

void table_link(struct pool *pool, uint32_t index)
{
	struct frame *frame = pool_frame(pool, index);
	uint32_t *bucket = &pool->buckets[bucket_of(pool, frame->page)];

	frame->next = *bucket;
	*bucket = index;
}

void table_unlink(struct pool *pool, uint32_t index)
{
	struct frame *frame = pool_frame(pool, index);
	uint32_t *link = &pool->buckets[bucket_of(pool, frame->page)];

	while (*link != index)
		link = &pool_frame(pool, *link)->next;
	*link = frame->next;
}

/*
 * The dead owner may have left any chain of the partition half changed. The frames say which pages
 * are in the pool, and none of this partition can come or go while the lock is held.
 */
static void rebuild(struct pool *pool, unsigned int partition)
{
	for (uint64_t b = partition; b < pool->bucket_count; b += PARTITIONS)
		pool->buckets[b] = NO_FRAME;
	for (uint64_t i = 0; i < pool->frame_count; i++) {
		uint64_t page = pool_frame(pool, i)->page;

		if (page != NO_PAGE && partition_of(pool, page) == partition)
			table_link(pool, (uint32_t)i);
	}
	atomic_fetch_add(&pool->repairs, 1);
}

unsigned int table_lock(struct pool *pool, uint64_t page)
{
	unsigned int partition = partition_of(pool, page);
	pthread_mutex_t *lock = &pool->partitions[partition].lock;
	int error = pthread_mutex_lock(lock);

	if (error == EOWNERDEAD) {
		rebuild(pool, partition);
		/* Only now: should we die during the repair, the next one has to do it again. */
		error = pthread_mutex_consistent(lock);
	}
	if (error) /* the mutex is damaged: going on could only spread it */
		abort();
	return partition;
}

void table_unlock(struct pool *pool, unsigned int partition)
{
	pthread_mutex_unlock(&pool->partitions[partition].lock);
}

static int make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return error;
	error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (!error)
		error = pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

bool table_format(struct pool *pool)
{
	for (uint64_t b = 0; b < pool->bucket_count; b++)
		pool->buckets[b] = NO_FRAME;
	for (unsigned int p = 0; p < PARTITIONS; p++) {
		errno = make_lock(&pool->partitions[p].lock);
		if (errno)
			return false;
	}
	return true;
}
