/* SPDX-License-Identifier: MIT */
/*
 * What mshare_map() has made of a region: when its host is killed, also in the middle of an
 * exchange, and while processes use the part that is being exchanged. `test-shim-parts
 * [EXCHANGES]`.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "crew.h"
#include "disk.h"
#include "hosts.h"
#include "view.h"

#define REGION HOSTS_REGION
#define WRITERS 8

static unsigned int exchanges = 200;

static void test_host_is_killed(void **state)
{
	mshare_t r = region_make(REGION);
	struct crew crew;
	char *p;

	(void)state;
	nobody_hosts(); /* of programs before this one */
	crew = crew_start(r, 2, READ_WRITE);
	check(mshare_map(r, SLOT, SLOT, -1, 0, READ_WRITE) == 0);
	p = region_attach_all(r);
	p[0] = 1;
	p[SLOT] = 2;
	check(hosts(kill_host) == 1);
	check(COMES_TRUE(!(region_stat(r, 0).flags & MSHARE_STAT_F_HOST)));
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED, EOWNERDEAD);
	check_refused(mshare_map(r, 0, SLOT, -1, 0, READ_WRITE) == -1, EBUSY);
	check_refused(mshare_revoke(r) == -1, EBUSY);
	crew_touch(&crew, SLOT, true, 0);
	crew_touch(&crew, SLOT + PAGE, true, 0);
	crew_touch(&crew, 0, true, 0);
	check_equal(p[SLOT], 2);
	crew_end(&crew);
	check(mshare_detach(r, p, REGION) == 0);
	/* The last link of a process that has ended may take a moment to go. */
	check(COMES_TRUE((p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0)) != MAP_FAILED));
	check_equal(p[0], 1);
	check_equal(p[SLOT], 0);
	check(mshare_detach(r, p, REGION) == 0);
	region_end(r);
	nobody_hosts();
}

struct storm {
	mshare_t r;
	atomic_bool stop;
	atomic_uint started;
	atomic_ulong writes;
	unsigned int next;
};

/*
 * Each has a word of its own in every page; what it reads there it has written there, in whichever
 * object, or nothing.
 */
static void write_and_verify(void *arg)
{
	struct storm *s = arg;
	unsigned int me = s->next;
	char *p = mshare_attach(s->r, NULL, 0, REGION, READ_WRITE, 0);
	unsigned long writes = 0;

	check(p != MAP_FAILED);
	atomic_fetch_add(&s->started, 1);
	while (!atomic_load(&s->stop)) {
		size_t page = (size_t)rand() % (REGION / PAGE);
		volatile uint64_t *word = (volatile uint64_t *)(void *)(p + page * PAGE) + me;
		uint64_t mine = (uint64_t)page << 8 | (me + 1), found = *word;

		check(found == 0 || found == mine);
		*word = mine;
		writes++;
	}
	atomic_fetch_add(&s->writes, writes);
}

static void test_storm(void **state)
{
	struct storm *s = shared_memory(sizeof(*s));
	pid_t pids[WRITERS];
	char *p;

	(void)state;
	s->r = region_make(REGION);
	for (s->next = 0; s->next < WRITERS; s->next++) {
		pids[s->next] = child_start(write_and_verify, s);
		check(COMES_TRUE(atomic_load(&s->started) == s->next + 1));
	}
	p = region_attach_all(s->r);
	for (unsigned int i = 0; i < exchanges; i++) {
		int fd = i % 2 ? mshare_fd(s->r) : -1;

		check(mshare_map(s->r, SLOT, 2 * SLOT, fd, i % 2 ? SLOT : 0, READ_WRITE) == 0);
		if (i % 2 == 0)
			check_equal(p[SLOT + PAGE - 1], 0);
	}
	atomic_store(&s->stop, true);
	for (unsigned int i = 0; i < WRITERS; i++)
		child_wait(pids[i]);
	print_message("%lu words written during %u exchanges\n", atomic_load(&s->writes),
		      exchanges);
	check(atomic_load(&s->writes) > exchanges);
	check(mshare_detach(s->r, p, REGION) == 0);
	region_end(s->r);
	nobody_hosts();
}

struct exchange {
	int region, part;
	struct signpost hosted, mapped;
};

/* Maps the part that it is asked for, and never says so. */
static void host_half_of_it(void *arg)
{
	struct exchange *x = arg;
	struct mshare_ctl_next next = { .size = sizeof(next), .linger_ms = 10000 };
	struct mapping own = { map_plain(x->region, 2 * SLOT, READ_WRITE), 2 * SLOT, x->region };
	int device = device_open();
	struct mshare_ctl_part part = { .size = sizeof(part) };
	int fd;

	check_equal(view_create(device, x->region, &own, READ_WRITE), 0);
	signpost_raise(&x->hosted);
	check(ioctl(device, MSHARE_CTL_NEXT, &next) == 0);
	check_equal(next.operation, MSHARE_ASK_MAP);
	part.id = next.id;
	fd = ioctl(device, MSHARE_CTL_PART, &part);
	check(fd >= 0);
	check(mmap(own.at + next.off, next.len, READ_WRITE, MAP_SHARED | MAP_FIXED, fd,
		   (off_t)next.map_off) == own.at + next.off);
	signpost_raise(&x->mapped);
	for (;;)
		pause();
}

static void ask_for_it(void *arg)
{
	const struct exchange *x = arg;
	struct mshare_ctl_ask ask = {
		.size = sizeof(ask),
		.fd = x->region,
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.operation = MSHARE_ASK_MAP,
		.argument = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SLOT,
		.timeout_ms = 60000,
		.map_fd = x->part,
	};

	check_equal(device_call(MSHARE_CTL_ASK, &ask), -EPIPE);
}

static uint64_t first_word_on_disk(int fd)
{
	uint64_t *contents = (uint64_t *)(void *)disk_contents(fd, SLOT);
	uint64_t word = *contents;

	check(munmap(contents, SLOT) == 0);
	return word;
}

/* What was written to a part is written back with the region, whether the host said so or not. */
static void test_msync_of_half_an_exchange(void **state)
{
	struct exchange x = { .region = memory_file(2 * SLOT) };
	pid_t host, asker;
	char path[DISK_PATH_SIZE];
	uint64_t *at;

	(void)state;
	x.part = disk_file_in("/scratch", SLOT, path);
	signpost_make(&x.hosted);
	signpost_make(&x.mapped);
	host = child_start(host_half_of_it, &x);
	signpost_await(&x.hosted);
	at = attach(x.region, 2 * SLOT, READ_WRITE);
	asker = child_start(ask_for_it, &x);
	signpost_await(&x.mapped);
	*at = 4711;
	child_kill(host);
	child_wait(asker);
	check_equal(first_word_on_disk(x.part), 0);
	check(msync(at, 2 * SLOT, MS_SYNC) == 0);
	check_equal(first_word_on_disk(x.part), 4711);
	detach(at, 2 * SLOT);
	check(unlink(path) == 0);
	signpost_close(&x.hosted);
	signpost_close(&x.mapped);
	close(x.part);
	close(x.region);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_host_is_killed),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_msync_of_half_an_exchange),
	};

	if (argc > 1)
		exchanges = (unsigned int)atoi(argv[1]);
	return HOSTS_MAIN(cases);
}
