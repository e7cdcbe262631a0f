/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "align.h"

/*
 * Window for the first byte of MSHARE_SAME_ADDR regions: far from where Linux puts programs, heaps,
 * libraries and stacks on machines with at least 47 bits of user addresses (x86-64, arm64, riscv64
 * sv48), also with PLACE_SAME_MAX bytes behind it.
 */
#define WINDOW_START ((uint64_t)32 << 40)
#define WINDOW_END ((uint64_t)64 << 40)

/* Of finding a place that no other thread takes first. */
#define ATTEMPTS 10

/* Below this address the next mapping is tried: a guess, so that no lock is needed. 0: no guess
 * yet. */
static atomic_uintptr_t ceiling;

static int map_over(const struct place_request *req, void *addr, int how, void **out)
{
	return sys_mmap(addr, req->len, req->prot, MAP_SHARED | how, req->fd, req->off, out);
}

int place_fixed(const struct place_request *req, void *addr, void **out)
{
	void *got;
	int err = map_over(req, addr, MAP_FIXED_NOREPLACE, &got);

	if (err)
		return err;
	if (got != addr) { /* before Linux 4.17 the flag is not known and addr only a hint */
		sys_munmap(got, req->len);
		return -EEXIST;
	}
	*out = got;
	return 0;
}

/* Just below the last mapping, as the kernel itself would go on. -EEXIST: no guess, or the place is
 * taken. */
static int place_by_guess(const struct place_request *req, void **out)
{
	uintptr_t below = atomic_load_explicit(&ceiling, memory_order_relaxed);
	uintptr_t guess;
	int err;

	if (below <= req->len)
		return -EEXIST;
	guess = align_down(below - req->len, req->align);
	if (guess < req->align)
		return -EEXIST;
	err = place_fixed(req, (void *)guess, out);
	/* What the guess ran into (a limit of the architecture, -EPERM below mmap_min_addr) is not
	 * the caller's. */
	return err == -EEXIST || err == -EPERM ? -EEXIST : err;
}

/*
 *   reserved      addr (aligned)              addr + len       reserved + room
 *   |-- head -----|-- the mapping ------------|-- tail --------|
 *
 * The middle is given back before the mapping is made there. Mapping over it (MAP_FIXED) would keep
 * others out, but a mmap(2) that fails may have removed already what was there, and another thread
 * may have a mapping there by the time that we give "ours" back. Head and tail are never empty and
 * stay until then, so that nobody finds more room there than the mapping takes: not another thread
 * that looks for a place like this one.
 */
static int place_in_room(const struct place_request *req, void **out)
{
	size_t room = req->len + 2 * req->align;
	uintptr_t start, addr;
	void *reserved;
	int err = sys_mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			   0, &reserved);

	if (err)
		return err;
	start = (uintptr_t)reserved;
	addr = align_down(start, req->align) + req->align;
	err = sys_munmap((void *)addr, req->len);
	if (err) {
		sys_munmap(reserved, room);
		return err;
	}
	err = place_fixed(req, (void *)addr, out);
	sys_munmap(reserved, addr - start);
	sys_munmap((void *)(addr + req->len), start + room - addr - req->len);
	return err;
}

/* -EEXIST: another thread has mapped something small there meanwhile. */
static int place_by_reservation(const struct place_request *req, void **out)
{
	int err = -EEXIST;

	if (req->align > (SIZE_MAX - req->len) / 2)
		return -ENOMEM;
	for (int i = 0; i < ATTEMPTS && err == -EEXIST; i++)
		err = place_in_room(req, out);
	return err == -EEXIST ? -ENOMEM : err;
}

int place_anywhere(const struct place_request *req, void **out)
{
	int err;

	if (req->align <= page_sizes()->base)
		return map_over(req, NULL, 0, out);
	err = place_by_guess(req, out);
	if (err == -EEXIST)
		err = place_by_reservation(req, out);
	if (!err)
		atomic_store_explicit(&ceiling, (uintptr_t)*out, memory_order_relaxed);
	return err;
}

void place_freed(void *addr, size_t len)
{
	atomic_store_explicit(&ceiling, (uintptr_t)addr + len, memory_order_relaxed);
}

/* splitmix64's finishing step: neighbouring inode numbers land far apart. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t place_same_addr(dev_t dev, ino_t ino)
{
	uint64_t step = page_sizes()->pud;
	uint64_t slots = (WINDOW_END - WINDOW_START) / step;

	return WINDOW_START + mix(mix(dev) ^ ino) % slots * step;
}
