/* SPDX-License-Identifier: MIT */
/*
 * Nothing is left behind: page tables, kernel objects and free memory are the same before and after
 * many attachments, forks and ends, also when the host frees tables that others point to.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "servant.h"

#define SIZE (64 * MIB)
#define CYCLES 200
#define KMALLOC "/sys/kernel/slab/*kmalloc-*"

struct footprint {
	uint64_t tables; /* bytes */
	uint64_t objects;
	uint64_t free; /* bytes */
};

static uint64_t objects_of(const char *cache)
{
	char path[256];
	unsigned long long objects;
	FILE *file;

	/* What processors keep for themselves counts as used until it is given back. */
	snprintf(path, sizeof(path), "%s/shrink", cache);
	check_equal(write_text(path, "1"), 0);
	snprintf(path, sizeof(path), "%s/objects", cache);
	file = fopen(path, "re");
	check(file);
	check(fscanf(file, "%llu", &objects) == 1);
	fclose(file);
	return objects;
}

static uint64_t all_objects(void)
{
	uint64_t objects = 0;
	glob_t caches;

	check(glob(KMALLOC, 0, NULL, &caches) == 0);
	for (size_t i = 0; i < caches.gl_pathc; i++)
		objects += objects_of(caches.gl_pathv[i]);
	globfree(&caches);
	return objects;
}

/* What processors keep of free memory for themselves, which the kernel does not count as free. */
static uint64_t pages_of_processors(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long long count, sum = 0;
	char line[256];

	check(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %llu", &count) == 1)
			sum += count;
	fclose(file);
	return sum;
}

static struct footprint footprint(void)
{
	struct footprint now;

	check_equal(write_text("/proc/sys/vm/drop_caches", "3"), 0);
	now.objects = all_objects();
	now.tables = counter("/proc/meminfo", "PageTables") * KIB;
	now.free = counter("/proc/meminfo", "MemFree") * KIB + pages_of_processors() * PAGE;
	print_message("%llu KiB of tables, %llu objects, %llu KiB free\n",
		      (unsigned long long)now.tables / KIB, (unsigned long long)now.objects,
		      (unsigned long long)now.free / KIB);
	return now;
}

/* One page of each slot: as many tables as possible. */
static void touch(char *at)
{
	for (size_t off = 0; off < SIZE; off += SLOT)
		*(volatile char *)(at + off) = 1;
}

static void touch_inherited(void *at)
{
	touch(at);
}

/* Also, tables of one's own are gone with the attachment. */
static void use(void *arg)
{
	const struct scene *s = arg;
	char *room = reserve(SIZE);
	uint64_t before = proc_status_bytes("VmPTE");
	char *at = attach_at(s->fd, SIZE, READ_WRITE, room);

	touch(at);
	child_run(touch_inherited, at);
	detach(at, SIZE);
	check(proc_status_bytes("VmPTE") <= before);
}

/* Leaves with the attachment. */
static void use_and_exit(void *arg)
{
	const struct scene *s = arg;

	touch(attach(s->fd, SIZE, READ_WRITE));
}

static void deed_remap(const struct mapping *own)
{
	deed_unmap(own);
	deed_restore(own);
}

static void cycles(struct scene *s, const struct servant *host, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		child_run(use, s);
		child_run(use_and_exit, s);
		touch(s->at);
		servant_do(host, deed_remap);
	}
}

/*
 * Less than half of what one object, table or page a cycle would be: others come and go too. What
 * the kernel frees after a grace period may take its time; what has leaked never comes back.
 */
static bool same_footprint(const struct footprint *before)
{
	struct footprint now = footprint();

	return now.tables <= before->tables + CYCLES * PAGE / 2 &&
	       now.objects <= before->objects + CYCLES / 2 &&
	       now.free + CYCLES * (SIZE / SLOT) * PAGE / 2 >= before->free;
}

static void check_same_footprint(const struct footprint *before)
{
	int patience = 30;

	while (!same_footprint(before) && patience-- > 0)
		pause_ms(1000);
	check(patience > 0);
}

static void test_attachments(void **state)
{
	struct servant host;
	struct scene s = scene_make_served(memory_file(SIZE), SIZE, &host);
	struct footprint before;

	(void)state;
	cycles(&s, &host, CYCLES / 10);
	pause_ms(2000);
	before = footprint();
	cycles(&s, &host, CYCLES);
	check_same_footprint(&before);
	servant_dismiss(&host);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void host_once(void)
{
	struct scene s = scene_make(8 * MIB);

	host_kill(&s.host);
	pages_check(s.at, s.size, SCENE_SALT);
	detach(s.at, s.size);
	close(s.fd);
}

static void test_hosts(void **state)
{
	struct footprint before;

	(void)state;
	for (int i = 0; i < CYCLES / 10; i++)
		host_once();
	pause_ms(2000);
	before = footprint();
	for (int i = 0; i < CYCLES; i++)
		host_once();
	check_same_footprint(&before);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_teardown(test_attachments, scene_check_no_views),
		cmocka_unit_test_teardown(test_hosts, scene_check_no_views),
	};

	return SHIM_MAIN(cases);
}
