/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "pool-layout.h"

#define USAGE_MAX 5 /* as PostgreSQL: enough to tell hot from warm, soon swept down */
#define FRAMES_MIN 64

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint64_t buckets_for(uint64_t frames)
{
	uint64_t buckets = PARTITIONS;

	while (buckets < frames)
		buckets *= 2;
	return buckets;
}

static void lay_out(struct pool *at, uint64_t frames)
{
	at->frame_count = frames;
	at->bucket_count = buckets_for(frames);
	at->frames_at = align_up(sizeof(*at) + at->bucket_count * sizeof(uint32_t), CACHE_LINE);
	at->pages_at = align_up(at->frames_at + frames * sizeof(struct frame), PAGE_BYTES);
}

uint64_t pool_capacity(size_t size)
{
	uint64_t frames = size / (PAGE_BYTES + sizeof(struct frame));
	struct pool try;

	for (; frames > 0; frames--) {
		lay_out(&try, frames);
		if (try.pages_at + frames * PAGE_BYTES <= size)
			break;
	}
	return frames;
}

uint64_t pool_frames(const struct pool *pool)
{
	return pool->frame_count;
}

bool pool_format(struct pool *pool, size_t size)
{
	uint64_t frames = pool_capacity(size);

	if (frames < FRAMES_MIN || frames >= NO_FRAME) {
		errno = EINVAL;
		return false;
	}
	lay_out(pool, frames);
	for (uint64_t i = 0; i < frames; i++)
		pool_frame(pool, i)->page = NO_PAGE;
	return table_format(pool);
}

static bool is_pinned(struct frame *frame)
{
	uint64_t pins = 0;

	for (unsigned int w = 0; w < PIN_WORDS; w++)
		pins |= atomic_load_explicit(&frame->pins[w], memory_order_acquire);
	return pins;
}

static uint64_t pin_bit(unsigned int id)
{
	return (uint64_t)1 << id % 64;
}

/* With the partition of the frame's page locked. */
static void pin(struct frame *frame, unsigned int id)
{
	atomic_fetch_or(&frame->pins[id / 64], pin_bit(id));
	if (atomic_load_explicit(&frame->usage, memory_order_relaxed) < USAGE_MAX)
		atomic_fetch_add_explicit(&frame->usage, 1, memory_order_relaxed);
}

static void unpin(struct frame *frame, unsigned int id)
{
	atomic_fetch_and_explicit(&frame->pins[id / 64], ~pin_bit(id), memory_order_release);
}

static bool claim(struct frame *frame, unsigned int id)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong(&frame->claimed_by, &nobody, id + 1);
}

static void disclaim(struct frame *frame)
{
	atomic_store_explicit(&frame->claimed_by, 0, memory_order_release);
}

/* One turn of the clock: a frame that has been used is left alone, but a little less worth now. */
static bool passed_by(struct frame *frame)
{
	uint32_t usage = atomic_load_explicit(&frame->usage, memory_order_relaxed);

	if (usage > 0) /* not a subtraction: two hands at once must not go below zero */
		atomic_compare_exchange_strong(&frame->usage, &usage, usage - 1);
	return usage > 0;
}

/* Takes the page out of a claimed frame, unless somebody has pinned it in the meantime. */
static bool evict(struct pool_user *user, uint32_t index)
{
	struct frame *frame = pool_frame(user->pool, index);
	unsigned int partition;
	bool free_now;

	if (frame->page == NO_PAGE)
		return true;
	partition = table_lock(user->pool, frame->page);
	free_now = !is_pinned(frame);
	if (free_now) {
		table_unlink(user->pool, index);
		if (user->die_evicting) /* the page is in its frame, but no chain leads to it */
			kill(getpid(), SIGKILL);
		frame->page = NO_PAGE;
	}
	table_unlock(user->pool, partition);
	return free_now;
}

/* Clock sweep: a frame nobody used since the hand last came by. Empty, and claimed by the user. */
static uint32_t claim_victim(struct pool_user *user)
{
	struct pool *pool = user->pool;
	uint64_t steps = pool->frame_count * (USAGE_MAX + 2);

	while (steps-- > 0) {
		uint32_t index = (uint32_t)(atomic_fetch_add(&pool->hand, 1) % pool->frame_count);
		struct frame *frame = pool_frame(pool, index);

		if (is_pinned(frame))
			continue;
		if (passed_by(frame) || !claim(frame, user->id))
			continue;
		if (evict(user, index))
			return index;
		disclaim(frame);
	}
	return NO_FRAME;
}

static uint32_t find_and_pin(struct pool_user *user, uint64_t number)
{
	unsigned int partition = table_lock(user->pool, number);
	uint32_t index = table_find(user->pool, number);

	if (index != NO_FRAME)
		pin(pool_frame(user->pool, index), user->id);
	table_unlock(user->pool, partition);
	return index;
}

/*
 * Makes a page that has been read findable, pinned. Two users may have read the same page at the
 * same time: the second finds the first one's, takes that, and its own frame stays empty.
 */
static uint32_t publish(struct pool_user *user, uint32_t index, uint64_t number)
{
	unsigned int partition = table_lock(user->pool, number);
	uint32_t found = table_find(user->pool, number);

	if (found == NO_FRAME) {
		pool_frame(user->pool, index)->page = number;
		table_link(user->pool, index);
		found = index;
	}
	pin(pool_frame(user->pool, found), user->id);
	table_unlock(user->pool, partition);
	return found;
}

static uint32_t read_and_pin(struct pool_user *user, uint64_t number)
{
	uint32_t index = claim_victim(user);
	struct frame *frame;

	if (index == NO_FRAME) {
		errno = EBUSY; /* more users than frames */
		return NO_FRAME;
	}
	user->misses++;
	frame = pool_frame(user->pool, index);
	if (data_file_read(user->data_fd, number, pool_page(user->pool, index)))
		index = publish(user, index, number);
	else
		index = NO_FRAME;
	disclaim(frame);
	return index;
}

const struct page *pool_pin(struct pool_user *user, uint64_t number)
{
	uint32_t index = find_and_pin(user, number);

	if (index == NO_FRAME)
		index = read_and_pin(user, number);
	return index == NO_FRAME ? NULL : pool_page(user->pool, index);
}

void pool_unpin(struct pool_user *user, const struct page *page)
{
	unpin(pool_frame(user->pool, (uint64_t)(page - pool_page(user->pool, 0))), user->id);
}

void pool_forget_user(struct pool *pool, unsigned int id)
{
	for (uint64_t i = 0; i < pool->frame_count; i++) {
		struct frame *frame = pool_frame(pool, i);

		unpin(frame, id);
		if (frame->claimed_by == id + 1)
			disclaim(frame);
	}
}

struct pool_summary pool_examine(struct pool *pool)
{
	struct pool_summary summary = { .frames = pool->frame_count };

	for (uint64_t i = 0; i < pool->frame_count; i++) {
		struct frame *frame = pool_frame(pool, i);
		uint64_t number = frame->page;

		summary.pinned += is_pinned(frame) || frame->claimed_by;
		if (number == NO_PAGE)
			continue;
		summary.resident++;
		table_unlock(pool, table_lock(pool, number)); /* repairs what nobody has needed */
		if (table_find(pool, number) != i || !page_is_right(pool_page(pool, i), number))
			summary.wrong++;
	}
	summary.repairs = pool->repairs;
	return summary;
}
