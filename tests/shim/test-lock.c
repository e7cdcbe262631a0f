/* SPDX-License-Identifier: MIT */
/* mlock(2) and its kin of an attachment: fault its pages in, count nothing and lock nothing. */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)

/* The kernel's own account of the process, and of the mapping. */
static void check_not_locked(char *at)
{
	check_equal(proc_status_bytes("VmLck"), 0);
	check_equal(proc_smaps_bytes(at, "Locked"), 0);
}

static void check_linked(char *at, bool linked)
{
	check_equal(proc_smaps_bytes(at, "Rss"), linked ? SIZE : 0);
}

static void forget(char *at)
{
	check(madvise(at, SIZE, MADV_DONTNEED) == 0);
	check_linked(at, false);
}

static void lock_whole(const struct scene *s, char *at)
{
	(void)s;
	check_linked(at, false);
	check(mlock(at, SIZE) == 0);
	check_linked(at, true);
	check_not_locked(at);
	forget(at); /* which locked memory would not allow */
	check(munlock(at, SIZE) == 0);
	check_linked(at, false);
}

static void lock_a_part(const struct scene *s, char *at)
{
	(void)s;
	check(mlock(at + SLOT, PAGE) == 0);
	check_linked(at, true);
	check_not_locked(at);
	check(munlock(at + SLOT, PAGE) == 0);
	check(munlock(at + SLOT + PAGE, 7 * PAGE) == 0);
}

/* As mlock(2): a mapping that cannot be marked is faulted in at once. */
static void lock_on_fault(const struct scene *s, char *at)
{
	(void)s;
	check(mlock2(at, SIZE, MLOCK_ONFAULT) == 0);
	check_linked(at, true);
	check_not_locked(at);
	check(munlock(at, SIZE) == 0);
}

/* Other memory of the process is locked meanwhile, and attaching goes on. */
static void lock_all(const struct scene *s, char *at)
{
	char *second;

	check(mlockall(MCL_CURRENT) == 0);
	check_equal(proc_smaps_bytes(at, "Locked"), 0);
	check_linked(at, true);
	check(munlockall() == 0);
	check(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	second = attach(s->fd, SIZE, READ_WRITE);
	check_equal(proc_smaps_bytes(second, "Locked"), 0);
	pages_check(second, SIZE, SCENE_SALT);
	detach(second, SIZE);
	check(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0);
	second = attach(s->fd, SIZE, READ_WRITE);
	pages_check(second, SIZE, SCENE_SALT);
	detach(second, SIZE);
	check(munlockall() == 0);
	check_not_locked(at);
}

/* What the limit is for is the host's memory, not the attached process's. */
static void host_locks(const struct mapping *own)
{
	check(mlock(own->at, own->size) == 0);
	check_equal(proc_smaps_bytes(own->at, "Locked"), own->size);
}

static void test_host_locks(void **state)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };

	(void)state;
	s.host = host_start_with(s.fd, SIZE, READ_WRITE, host_locks);
	s.at = attach(s.fd, SIZE, READ_WRITE);
	pages_fill(s.at, SIZE, SCENE_SALT);
	check(madvise(s.at, SIZE, MADV_PAGEOUT) == 0);
	pages_check(s.at, SIZE, SCENE_SALT);
	check_not_locked(s.at);
	scene_end(&s);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		scene_apart(SIZE, name, false);                                                    \
	}
CASE(lock_whole)
CASE(lock_a_part)
CASE(lock_on_fault)
CASE(lock_all)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_lock_whole),    cmocka_unit_test(test_lock_a_part),
		cmocka_unit_test(test_lock_on_fault), cmocka_unit_test(test_lock_all),
		cmocka_unit_test(test_host_locks),
	};

	return SHIM_MAIN(cases);
}
