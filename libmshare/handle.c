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
	size_t next_free; /* of a free slot: the next one's number, or NO_SLOT */
};
#define NO_SLOT SIZE_MAX

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t atfork_once = PTHREAD_ONCE_INIT;
static int atfork_error;
static unsigned long generation; /* of forks; changes in a child that has one thread */
static struct slot *slots; /* lock; never shrinks */
static size_t slot_count; /* lock */
static size_t first_free = NO_SLOT; /* lock; a list, so that thousands of handles cost no search */

void state_lock(void)
{
	pthread_mutex_lock(&lock);
}

void state_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

unsigned long state_process(void)
{
	return generation;
}

static void after_fork_in_child(void)
{
	generation++;
	state_unlock();
}

static void register_atfork(void)
{
	atfork_error = -pthread_atfork(state_lock, state_unlock, after_fork_in_child);
}

static void add_free(size_t number)
{
	slots[number].next_free = first_free;
	first_free = number;
}

/* state_lock held. */
static int grow(void)
{
	size_t more = slot_count ? slot_count * 2 : 16;
	struct slot *grown;

	if (more > SLOT_MASK)
		return -EMFILE;
	grown = realloc(slots, more * sizeof(*slots));
	if (!grown)
		return -ENOMEM;
	slots = grown;
	for (size_t i = more; i-- > slot_count;) {
		slots[i] = (struct slot){ 0 };
		add_free(i);
	}
	slot_count = more;
	return 0;
}

/* A slot for r. state_lock held. */
static int take_free(struct region *r, size_t *out)
{
	int err = first_free == NO_SLOT ? grow() : 0;

	if (err)
		return err;
	*out = first_free;
	first_free = slots[*out].next_free;
	slots[*out].region = r;
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
	err = take_free(r, &number);
	if (!err) {
		struct slot *slot = &slots[number];

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
		add_free((size_t)(slot - slots));
	}
	state_unlock();
	return r;
}
