/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "region.h"

/*
 * A ticket: generation above SLOT_BITS, slot number plus one below, so that NULL is never a ticket.
 * A slot's generation grows when it is given out, so a closed ticket stays invalid when the slot is
 * used again.
 */
#define SLOT_BITS 20
#define SLOT_MASK (((uintptr_t)1 << SLOT_BITS) - 1)
#define GENERATION_MASK (UINTPTR_MAX >> SLOT_BITS)

struct slot {
	struct region *region; /* NULL: free */
	uintptr_t generation;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t atfork_once = PTHREAD_ONCE_INIT;
static int atfork_error;
static struct slot *slots; /* lock; never shrinks */
static size_t slot_count; /* lock */

void state_lock(void)
{
	pthread_mutex_lock(&lock);
}

void state_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static void register_atfork(void)
{
	atfork_error = -pthread_atfork(state_lock, state_unlock, state_unlock);
}

/* A free slot's number; the table doubles when it is full. state_lock held. */
static int find_free(size_t *out)
{
	size_t more = slot_count ? slot_count * 2 : 16;
	struct slot *grown;

	for (size_t i = 0; i < slot_count; i++) {
		if (!slots[i].region) {
			*out = i;
			return 0;
		}
	}
	if (more > SLOT_MASK)
		return -EMFILE;
	grown = realloc(slots, more * sizeof(*slots));
	if (!grown)
		return -ENOMEM;
	for (size_t i = slot_count; i < more; i++)
		grown[i] = (struct slot){ 0 };
	*out = slot_count;
	slots = grown;
	slot_count = more;
	return 0;
}

/* The slot a ticket names, or NULL. state_lock held. */
static struct slot *find(mshare_t h)
{
	uintptr_t ticket = (uintptr_t)h;
	size_t number = (ticket & SLOT_MASK) - 1;

	if (number >= slot_count || !slots[number].region)
		return NULL;
	return slots[number].generation == ticket >> SLOT_BITS ? &slots[number] : NULL;
}

int handle_new(struct region *r, mshare_t *out)
{
	size_t number;
	int err;

	pthread_once(&atfork_once, register_atfork);
	if (atfork_error)
		return atfork_error;
	state_lock();
	err = find_free(&number);
	if (!err) {
		struct slot *slot = &slots[number];

		slot->region = r;
		slot->generation = (slot->generation + 1) & GENERATION_MASK;
		*out = (mshare_t)(slot->generation << SLOT_BITS | (number + 1));
	}
	state_unlock();
	return err;
}

struct region *handle_get(mshare_t h)
{
	struct region *r = NULL;
	struct slot *slot;

	state_lock();
	slot = find(h);
	if (slot) {
		r = slot->region;
		region_get(r);
	}
	state_unlock();
	return r;
}

struct region *handle_take(mshare_t h)
{
	struct region *r = NULL;
	struct slot *slot;

	state_lock();
	slot = find(h);
	if (slot) {
		r = slot->region;
		slot->region = NULL;
	}
	state_unlock();
	return r;
}
