/* SPDX-License-Identifier: MIT */
/*
 * Random operations with random input, from processes that host, attach, map, ask, answer and go,
 * for some seconds: `test-shim-abi-fuzz [SECONDS [SEED]]`. An attached process that takes no part
 * sees its data unharmed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "choice.h"
#include "scene.h"

#define SIZE (4 * SLOT)
#define CALLS 400
#define FILES 8
#define PATIENCE 32 /* milliseconds, that an answer is waited for */

enum { QUERY, CREATE, ATTACH, DETACH, FLUSH, WAIT, ASK, NEXT, ANSWER, PART, OPERATIONS };

static unsigned int seconds = 5;
static unsigned int seed;
static struct tally {
	_Atomic uint64_t done, worked[OPERATIONS], mapped, handed;
} * tally;

/* What the random choices are made from. */
static struct pool {
	int device;
	int files[FILES];
	char *ranges[4]; /* of SIZE bytes: a mapping of a file, attached, free, private */
	uint64_t id; /* of the last request that was handed over */
	bool is_map; /* it is for another file in place of a range */
	bool hosts; /* a process that does cannot attach any more */
} pool;

/* Mostly the usual, or next to it. */
static uint64_t any_size(uint64_t usual)
{
	static const int64_t off[] = { 0, 0, 0, 0, 1, -1, PAGE, -(int64_t)PAGE };

	if (choose(3))
		return usual;
	return choose(10) ? choose(6) * SLOT + (uint64_t)off[choose(8)] : any_bits();
}

static uint64_t any_address(const char *usual)
{
	if (choose(3))
		return (uintptr_t)usual;
	return choose(10) ? (uintptr_t)pool.ranges[choose(4)] + any_size(0) : any_bits();
}

static int any_file(int usual)
{
	if (choose(3))
		return usual;
	return choose(10) ? pool.files[choose(FILES)] : (int)any_bits();
}

static uint32_t any_prot(void)
{
	return choose(4) ? 3 : choose(4) ? 1 : (uint32_t)any_bits();
}

/* Each field as it should be, and now and then not. */
static size_t any_argument(unsigned int nr, void *room)
{
	const struct mshare_ctl_query query = {
		.size = sizeof(query),
		.fd = any_file(pool.files[0]),
		.prot = any_prot(),
	};
	const struct mshare_ctl_create create = {
		.size = sizeof(create),
		.fd = any_file(pool.files[2]),
		.prot = any_prot(),
		.addr = any_address(pool.ranges[0]),
		.len = any_size(SIZE),
	};
	const struct mshare_ctl_attach attach = {
		.size = sizeof(attach),
		.fd = any_file(pool.files[0]),
		.prot = any_prot(),
	};
	const struct mshare_ctl_detach detach = {
		.size = sizeof(detach),
		.addr = any_address(pool.ranges[1]),
		.len = any_size(SIZE),
	};
	const struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.fd = any_file(pool.files[0]),
		.prot = any_prot(),
		.off = any_size(0),
		.len = any_size(SIZE),
	};
	const struct mshare_ctl_wait wait = { .size = sizeof(wait), .linger_ms = choose(3) };
	const struct mshare_ctl_next next = { .size = sizeof(next), .linger_ms = choose(3) };
	const struct {
		const void *from;
		size_t size;
	} all[] = {
		[QUERY] = { &query, sizeof(query) },	[CREATE] = { &create, sizeof(create) },
		[ATTACH] = { &attach, sizeof(attach) }, [DETACH] = { &detach, sizeof(detach) },
		[FLUSH] = { &flush, sizeof(flush) },	[WAIT] = { &wait, sizeof(wait) },
		[NEXT] = { &next, sizeof(next) },
	};

	memcpy(room, all[nr].from, all[nr].size);
	return all[nr].size;
}

/* Of a host that is asked all the time, or of one that never answers. */
static size_t any_ask(void *room)
{
	const struct mshare_ctl_ask ask = {
		.size = sizeof(ask),
		.fd = any_file(pool.files[choose(4) ? 2 : 0]),
		.prot = any_prot(),
		.operation = choose(16) ? 1 + choose(3) : (uint32_t)any_bits(),
		.argument = choose(4) ? choose(4) : (uint32_t)any_bits(),
		.off = any_size(0),
		.len = any_size(SIZE),
	};

	memcpy(room, &ask, sizeof(ask));
	return sizeof(ask);
}

/* Mostly of a file that could be mapped, or of the host's own at the same place. */
static size_t any_ask_for_map(void *room)
{
	struct mshare_ctl_ask *ask = room;
	size_t size = any_ask(room);

	ask->operation = MSHARE_ASK_MAP;
	ask->argument = any_prot();
	ask->map_fd = choose(2) ? ask->fd : any_file(pool.files[3]);
	ask->map_off = choose(2) ? ask->off : any_size(0);
	return size;
}

static size_t any_answer(void *room)
{
	const struct mshare_ctl_answer answer = {
		.size = sizeof(answer),
		.id = choose(8) ? pool.id : any_bits(),
		.error = choose(4)   ? 0
			 : choose(4) ? -(int)choose(4096)
				     : (int)any_bits(),
	};

	memcpy(room, &answer, sizeof(answer));
	return sizeof(answer);
}

static size_t any_part(void *room)
{
	const struct mshare_ctl_part part = {
		.size = sizeof(part),
		.id = choose(8) ? pool.id : any_bits(),
	};

	memcpy(room, &part, sizeof(part));
	return sizeof(part);
}

/* One bit is wrong now and then; but nobody waits for days. */
static size_t any_input(unsigned int nr, void *room, unsigned int patience)
{
	struct mshare_ctl_ask *ask = room;
	size_t size = nr == ASK	     ? (choose(4) ? any_ask(room) : any_ask_for_map(room))
		      : nr == PART   ? any_part(room)
		      : nr == ANSWER ? any_answer(room)
				     : any_argument(nr, room);

	if (choose(8) == 0)
		((uint8_t *)room)[choose((unsigned int)size)] ^= (uint8_t)(1u << choose(8));
	if (nr == ASK)
		ask->timeout_ms = choose(patience);
	return size;
}

static unsigned long command_of(unsigned int nr)
{
	static const unsigned long commands[] = {
		MSHARE_CTL_QUERY,  MSHARE_CTL_CREATE, MSHARE_CTL_ATTACH, MSHARE_CTL_DETACH,
		MSHARE_CTL_FLUSH,  MSHARE_CTL_WAIT,   MSHARE_CTL_ASK,	 MSHARE_CTL_NEXT,
		MSHARE_CTL_ANSWER, MSHARE_CTL_PART,
	};

	return choose(50) ? commands[nr] : commands[nr] ^ 1ul << choose(32);
}

static void touch(const char *at, size_t size)
{
	for (size_t off = 0; off < size; off += SLOT / 2)
		*(const volatile char *)(at + off);
}

/* Over whatever is there, also over what was attached before; what works is touched. */
static void map_view(int view)
{
	char *at = pool.ranges[choose(2) ? 1 : 2];
	int prot = choose(4) ? READ_WRITE : READ_ONLY;
	size_t size = (size_t)any_size(SIZE);
	off_t off = (off_t)any_size(0);

	if (size > SIZE || mmap(at, size, prot, MAP_SHARED | MAP_FIXED, view, off) == MAP_FAILED)
		return;
	atomic_fetch_add(&tally->mapped, 1);
	touch(at, size);
}

/* What the host was told that it may map, as it was asked or elsewhere. */
static void map_part(int fd)
{
	if (choose(4))
		mmap(pool.ranges[0] + choose(4) * SLOT, SLOT, READ_WRITE, MAP_SHARED | MAP_FIXED,
		     fd, (off_t)(choose(4) * SLOT));
}

/* WAIT takes long; what is handed over is mostly answered. */
static unsigned int any_operation(bool handed)
{
	static const unsigned int short_ones[] = {
		QUERY, CREATE, ATTACH, DETACH, FLUSH, ASK, ANSWER
	};

	if (handed && choose(4))
		return pool.is_map && choose(4) ? PART : ANSWER;
	if (choose(12)) {
		unsigned int nr = short_ones[choose(7)];

		return nr == CREATE && !pool.hosts ? ATTACH : nr;
	}
	return choose(3) ? NEXT : WAIT;
}

/* Whether there is something to be answered now. */
static bool note_success(unsigned int nr, int ret, const void *argument)
{
	const struct mshare_ctl_next *next = argument;

	atomic_fetch_add(&tally->worked[nr], 1);
	if (nr == ATTACH && ret > 2) {
		map_view(ret);
		close(ret);
	}
	if (nr == PART && ret > 2) {
		map_part(ret);
		close(ret);
		pool.is_map = false;
		return true;
	}
	if (nr != NEXT || !next->operation)
		return false;
	atomic_fetch_add(&tally->handed, 1);
	pool.id = next->id;
	pool.is_map = next->operation == MSHARE_ASK_MAP;
	return true;
}

static bool one_call(unsigned int nr, unsigned int patience)
{
	char room[128] __attribute__((aligned(8))) = { 0 };
	char *argument = room;
	size_t size = any_input(nr, room, patience);
	int ret;

	if (choose(16) == 0) /* at the end of what can be read */
		argument = memcpy(pool.ranges[3] + SIZE - size, room, size);
	ret = ioctl(pool.device, command_of(nr), argument);
	atomic_fetch_add(&tally->done, 1);
	return ret >= 0 && note_success(nr, ret, argument);
}

/* Until it is killed. */
static void ask_on_and_on(void *unused)
{
	(void)unused;
	choices_begin((unsigned int)any_bits(), 0);
	for (;;)
		one_call(ASK, PATIENCE);
}

static void on_alarm(int number)
{
	(void)number; /* only ends a WAIT */
}

static void fill_pool(const struct scene *s)
{
	pool.device = device_open();
	pool.files[0] = s->fd;
	pool.files[1] = file_reopen(s->fd, O_RDONLY);
	pool.files[2] = memory_file(SIZE);
	pool.files[3] = memory_file(SIZE);
	pool.files[4] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pool.files[5] = pool.device;
	pool.files[6] = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	pool.files[7] = disk_file(SIZE);
	pool.ranges[0] = map_plain(pool.files[2], SIZE, READ_WRITE);
	pool.ranges[1] = s->at; /* the inherited attachment */
	pool.ranges[2] = reserve(SIZE);
	pool.ranges[3] = reserve(2 * SIZE);
	check(mmap(pool.ranges[3], SIZE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) != MAP_FAILED);
}

/* One process's life. A SIGBUS, for instance of a host that is gone, is part of it. */
static void batch(void *arg)
{
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm };
	bool handed = false;
	pid_t asker;

	fill_pool(arg);
	asker = child_start(ask_on_and_on, NULL);
	pool.hosts = choose(2);
	if (choose(2))
		detach(pool.ranges[1], SIZE); /* may host then */
	check(sigaction(SIGALRM, &action, NULL) == 0);
	check(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < CALLS; i++)
		handed = one_call(any_operation(handed), 4);
	check(setitimer(ITIMER_REAL, &never, NULL) == 0);
	child_kill_running(asker);
}

/* Longer where the machine is so slow that some operation has not worked yet. */
static bool goes_on(time_t elapsed)
{
	bool all_worked = true;

	for (int i = 0; i < OPERATIONS; i++)
		all_worked = all_worked && tally->worked[i];
	return elapsed < (time_t)seconds || (!all_worked && elapsed < 10 * (time_t)seconds);
}

static void test_fuzz(void **state)
{
	struct scene s = scene_make(SIZE);
	time_t begin = time(NULL);
	unsigned int batches = 0;

	(void)state;
	print_message("seed %u\n", seed);
	tally = shared_memory(sizeof(*tally));
	for (; goes_on(time(NULL) - begin); batches++) {
		int number;

		choices_begin(seed, batches);
		number = signal_of(batch, &s);
		check(number == 0 || number == SIGBUS);
		pages_check(s.at, SIZE, SCENE_SALT);
	}
	print_message("%u processes, %llu calls, %llu mappings, %llu requests handed over; worked:",
		      batches, (unsigned long long)tally->done, (unsigned long long)tally->mapped,
		      (unsigned long long)tally->handed);
	for (int i = 0; i < OPERATIONS; i++) {
		print_message(" %llu", (unsigned long long)tally->worked[i]);
		check(tally->worked[i] > 0);
	}
	check(tally->mapped > 0 && tally->handed > 0);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
	munmap(tally, sizeof(*tally));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = { cmocka_unit_test(test_fuzz) };

	setenv("MSHARE_TEST_DIR", "/scratch", 0);
	seed = (unsigned int)time(NULL);
	if (argc > 1)
		seconds = (unsigned int)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = (unsigned int)strtoul(argv[2], NULL, 10);
	return SHIM_MAIN(cases);
}
