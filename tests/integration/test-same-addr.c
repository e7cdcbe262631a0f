/* SPDX-License-Identifier: MIT */
/* MSHARE_SAME_ADDR: processes that never met map a region at one address, or are told that they
 * cannot. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())

static char *attached(mshare_t r, off_t off, size_t len)
{
	char *p = mshare_attach(r, NULL, off, len, READ_WRITE, MSHARE_SAME_ADDR);

	check(p != MAP_FAILED);
	check_equal(((uintptr_t)p - (uintptr_t)off) % region_stat(r, 0).alignment, 0);
	return p;
}

/* A fresh program attaches and follows the pointer that the test has left in the region. */
static void meet(mshare_t r, const char *expected)
{
	void *wanted = (void *)strtoull(expected, NULL, 16); /* NOLINT: an address in text */
	char **p;

	check(r);
	p = (char **)(void *)attached(r, 0, REGION);
	check_equal(p, wanted);
	check_equal(*p, (char *)p + REGION - 1);
	check_equal(**p, 's');
	**p = 'm';
}

static void leave_pointer(char *p, char *text)
{
	snprintf(text, 32, "%llx", (unsigned long long)(uintptr_t)p);
	*(char **)(void *)p = p + REGION - 1;
	p[REGION - 1] = 's';
}

static void by_name(void **state)
{
	char name[NAME_SIZE], text[32];
	mshare_t r = mshare_create(name_make(name, "same"), REGION, NULL);
	char *p;

	(void)state;
	check(r);
	p = attached(r, 0, REGION);
	leave_pointer(p, text);
	child_wait(child_exec("--by-name", name, text, NULL));
	check_equal(p[REGION - 1], 'm');
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void by_descriptor(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = attached(r, 0, REGION), text[32], number[16];
	int fd = dup(mshare_fd(r));

	(void)state;
	check(fd >= 0);
	leave_pointer(p, text);
	snprintf(number, sizeof(number), "%d", fd);
	child_wait(child_exec("--by-descriptor", number, text, NULL));
	check_equal(p[REGION - 1], 'm');
	close(fd);
	region_end(r);
}

static void stays_for_life(void **state)
{
	mshare_t r = region_make(REGION), other;
	char *p = attached(r, 0, REGION);

	(void)state;
	check(mshare_detach(r, p, REGION) == 0);
	check_equal(attached(r, 0, REGION), p);
	check(mshare_detach(r, p, REGION) == 0);
	other = mshare_from_fd(mshare_fd(r), NULL);
	check(other);
	region_end(r);
	check_equal(attached(other, 0, REGION), p);
	check(mshare_detach(other, p, REGION) == 0);
	region_end(other);
}

static void parts_lie_in_order(void **state)
{
	mshare_t r = region_make(REGION);
	char *second = attached(r, (off_t)(2 * pmd_size()), pmd_size());
	char *first = attached(r, 0, pmd_size());

	(void)state;
	check_equal(second, first + 2 * pmd_size());
	check(mshare_detach(r, first, pmd_size()) == 0);
	check(mshare_detach(r, second, pmd_size()) == 0);
	region_end(r);
}

static void taken(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = attached(r, 0, REGION), *old;

	(void)state;
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR) == MAP_FAILED,
		      EADDRINUSE);
	check(mshare_detach(r, p, REGION) == 0);
	old = mmap(p + REGION - page_size(), page_size(), READ_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	check_equal(old, p + REGION - page_size());
	bytes_fill(old, page_size(), 1);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR) == MAP_FAILED,
		      EADDRINUSE);
	bytes_check(old, page_size(), 1);
	check(!proc_mapped(p, REGION - page_size()));
	check(munmap(old, page_size()) == 0);
	check_equal(attached(r, 0, REGION), p);
	region_end(r);
	check(munmap(p, REGION) == 0);
}

static void at_a_given_address(void **state)
{
	mshare_t r = region_make(REGION);
	char *place = attached(r, 0, REGION), *p;

	(void)state;
	check(mshare_detach(r, place, REGION) == 0);
	place += 16 * REGION;
	p = mshare_attach(r, place, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR);
	check_equal(p, place);
	check_refused(mshare_attach(r, place, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR) ==
			      MAP_FAILED,
		      EADDRINUSE);
	check(mshare_detach(r, place, REGION) == 0);
	region_end(r);
}

static void differs_between_regions(void **state)
{
	mshare_t a = region_make(REGION), b = region_make(REGION);
	char *first = attached(a, 0, REGION), *second = attached(b, 0, REGION);

	(void)state;
	check(second >= first + REGION || first >= second + REGION);
	check(munmap(first, REGION) == 0 && munmap(second, REGION) == 0);
	region_end(a);
	region_end(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(by_descriptor),
		cmocka_unit_test(stays_for_life),
		cmocka_unit_test(parts_lie_in_order),
		cmocka_unit_test(taken),
		cmocka_unit_test(at_a_given_address),
		cmocka_unit_test(differs_between_regions),
	};
	char **args = child_mode(argc, argv, "--by-name");

	if (args) {
		meet(mshare_open(args[0], O_RDWR, NULL), args[1]);
		return 0;
	}
	args = child_mode(argc, argv, "--by-descriptor");
	if (args) {
		meet(mshare_from_fd(atoi(args[0]), NULL), args[1]);
		return 0;
	}
	return RUN_CASES(cases);
}
