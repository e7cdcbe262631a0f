/* SPDX-License-Identifier: MIT */
/* The same bytes for all, and one set of page tables for them: what the module is for. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "object.h"
#include "view.h"

#define SIZE (64 * MIB)

/* At some address of its own: reads what another wrote, and writes for others to read. */
static void read_and_write(void *arg)
{
	int fd = *(int *)arg;
	char *at = attach(fd, SIZE, READ_WRITE);

	pages_check(at, SIZE, 1);
	pages_fill(at, SIZE, 2);
}

static void same_data_everywhere(int fd)
{
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char *at = attach(fd, SIZE, READ_WRITE);
	char *plain = map_plain(fd, SIZE, READ_WRITE);

	pages_fill(at, SIZE, 1);
	pages_check(plain, SIZE, 1);
	child_run(read_and_write, &fd);
	pages_check(at, SIZE, 2);
	pages_check(plain, SIZE, 2);
	pages_check_file(fd, SIZE, 2);
	pages_fill(plain, SIZE, 3);
	pages_check(at, SIZE, 3);
	detach(at, SIZE);
	host_leaves(&host);
	pages_check(plain, SIZE, 3);
	munmap(plain, SIZE);
	close(fd);
}

static void test_same_data_of_a_memfd(void **state)
{
	(void)state;
	same_data_everywhere(memory_file(SIZE));
}

static void test_same_data_of_a_posix_shm(void **state)
{
	int fd = shm_open("/shim-sharing", O_RDWR | O_CREAT, 0600);

	(void)state;
	check(fd >= 0 && ftruncate(fd, SIZE) == 0);
	same_data_everywhere(fd);
	check(shm_unlink("/shim-sharing") == 0);
}

static void test_same_data_of_a_disk_file(void **state)
{
	(void)state;
	same_data_everywhere(disk_file(SIZE));
}

/* What one more process costs that reads all: entries of PMD tables, no table of PTEs. */
static void scan_costs_no_tables(void *arg)
{
	int fd = *(int *)arg;
	char *at = attach(fd, SIZE, READ_WRITE);
	uint64_t tables = proc_status_bytes("VmPTE");
	uint64_t rss = proc_status_bytes("RssShmem");
	struct mshare_ctl_query before = view_query(fd, READ_WRITE), after;
	long faults = proc_minor_faults();

	pages_check(at, SIZE, 1);
	faults = proc_minor_faults() - faults;
	after = view_query(fd, READ_WRITE);
	/* The first reading of /proc may take a page or two; a table for each slot would be 32. */
	check(proc_status_bytes("VmPTE") - tables <= 3 * PAGE);
	check_equal(proc_status_bytes("RssShmem"), rss);
	check(faults <= 8);
	check_equal(after.tables, SIZE / SLOT);
	check_equal(after.entries - before.entries, SIZE / SLOT);
	check(after.faults - before.faults <= 2);
}

static void test_tables_are_shared(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char *at = attach(fd, SIZE, READ_WRITE);
	struct mshare_ctl_query query;

	(void)state;
	pages_fill(at, SIZE, 1);
	for (int i = 0; i < 5; i++)
		child_run(scan_costs_no_tables, &fd);
	query = view_query(fd, READ_WRITE);
	check_equal(query.links, 1);
	check_equal(query.entries, SIZE / SLOT);
	check_equal(query.slot_size, SLOT);
	check(query.features & MSHARE_FEATURE_PTE_TABLES);
	detach(at, SIZE);
	query = view_query(fd, READ_WRITE);
	check_equal(query.links + query.entries + query.tables, 0);
	host_leaves(&host);
	close(fd);
}

static void attach_there(void *arg)
{
	struct mapping *wanted = arg;

	detach(wanted->at, wanted->size); /* inherited */
	check(attach_at(wanted->fd, wanted->size, READ_WRITE, wanted->at) == wanted->at);
	pages_check(wanted->at, wanted->size, 1);
}

static void test_same_address(void **state)
{
	struct mapping all = { .size = SIZE, .fd = memory_file(SIZE) };
	struct host host = host_start(all.fd, SIZE, READ_WRITE);

	(void)state;
	all.at = attach(all.fd, SIZE, READ_WRITE);
	pages_fill(all.at, SIZE, 1);
	child_run(attach_there, &all);
	detach(all.at, SIZE);
	host_leaves(&host);
	close(all.fd);
}

/* Slots and offsets need not be the whole, nor at the place of the host's in a GiB. */
static void test_parts_at_other_offsets(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char *all = attach(fd, SIZE, READ_WRITE);
	char *room = reserve(SIZE);
	int view = view_attach(fd, READ_WRITE);
	char *part =
		mmap(room + 5 * SLOT, 3 * SLOT, READ_WRITE, MAP_SHARED | MAP_FIXED, view, 7 * SLOT);

	(void)state;
	check(part != MAP_FAILED);
	pages_fill(all, SIZE, 4);
	check(memcmp(part, all + 7 * SLOT, 3 * SLOT) == 0);
	pages_fill(part, 3 * SLOT, 5);
	pages_check(all + 7 * SLOT, 3 * SLOT, 5);
	detach(part, 3 * SLOT);
	detach(all, SIZE);
	close(view);
	host_leaves(&host);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_same_data_of_a_memfd),
		cmocka_unit_test(test_same_data_of_a_posix_shm),
		cmocka_unit_test(test_same_data_of_a_disk_file),
		cmocka_unit_test(test_tables_are_shared),
		cmocka_unit_test(test_same_address),
		cmocka_unit_test(test_parts_at_other_offsets),
	};

	return SHIM_MAIN(cases);
}
