/* SPDX-License-Identifier: MIT */
/*
 * Which mappings can be hosted, which ranges attached, and which detached: all others are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * SLOT)
#define BOTH (MSHARE_VIEW_READ | MSHARE_VIEW_WRITE)

/* What a host asks for: refused as a host, in a process of its own. */
struct bid {
	int fd;
	uint32_t prot;
	char *at;
	size_t len;
	int answer;
};

static void bid(void *arg)
{
	const struct bid *b = arg;
	struct mshare_ctl_create create = {
		.size = sizeof(create),
		.fd = b->fd,
		.prot = b->prot,
		.addr = (uintptr_t)b->at,
		.len = b->len,
	};
	int got = device_call(MSHARE_CTL_CREATE, &create);

	if (got != b->answer)
		fprintf(stderr, "host of %p, %zu bytes, prot %u:\n", (void *)b->at, b->len,
			b->prot);
	check_equal(got, b->answer);
}

static void host_would(int fd, uint32_t prot, void *at, size_t len, int answer)
{
	struct bid b = { fd, prot, at, len, answer };

	child_run(bid, &b);
}

static void test_ranges_of_a_host(void **state)
{
	int fd = memory_file(SIZE);
	char *at = map_plain(fd, SIZE, READ_WRITE);

	(void)state;
	host_would(fd, BOTH, at, SIZE, 0); /* what makes the others mean something */
	host_would(fd, BOTH, at + SLOT, SLOT, 0);
	host_would(fd, BOTH, at, 0, -EINVAL);
	host_would(fd, BOTH, at + 1, SLOT, -EINVAL);
	host_would(fd, BOTH, at + PAGE, SLOT, -EINVAL);
	host_would(fd, BOTH, at, SLOT + PAGE, -EINVAL);
	host_would(fd, BOTH, at, SLOT - 1, -EINVAL);
	host_would(fd, BOTH, at, SIZE + SLOT, -EINVAL);
	host_would(fd, BOTH, at + SIZE, SLOT, -EINVAL);
	host_would(fd, BOTH, at - SLOT, 2 * SLOT, -EINVAL);
	host_would(fd, BOTH, at + SLOT, SIZE_MAX - SLOT + 1, -EINVAL);
	host_would(fd, BOTH, at, (size_t)1 << 63, -EINVAL);
	host_would(fd, BOTH, NULL, SLOT, -EINVAL);
	host_would(fd, BOTH, (void *)(-4 * SLOT), SLOT, -EINVAL);
	host_would(fd, BOTH, (void *)(-SLOT), SLOT, -EINVAL);
	host_would(fd, BOTH, (void *)0xffff888000000000, SLOT, -EINVAL);
	host_would(fd, BOTH, (void *)(((size_t)1 << 47) - SLOT), SLOT, -EINVAL);
	munmap(at, SIZE);
	host_would(fd, BOTH, at, SIZE, -EINVAL);
	close(fd);
}

static void *mapped(int fd, int prot, int flags, off_t off)
{
	void *at = mmap(reserve(SIZE), SIZE, prot, flags | MAP_FIXED, fd, off);

	check(at != MAP_FAILED);
	return at;
}

static void test_kinds_of_mappings(void **state)
{
	int fd = memory_file(2 * SIZE);
	int other = memory_file(2 * SIZE);
	int huge = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);

	(void)state;
	check(huge >= 0 && ftruncate(huge, (off_t)SIZE) == 0);
	host_would(fd, BOTH, mapped(fd, READ_WRITE, MAP_SHARED, 0), SIZE, 0);
	host_would(fd, BOTH, mapped(fd, READ_WRITE, MAP_SHARED, SLOT), SIZE, 0);
	host_would(fd, BOTH, mapped(fd, READ_WRITE, MAP_SHARED, PAGE), SIZE, -EINVAL);
	host_would(fd, BOTH, mapped(other, READ_WRITE, MAP_SHARED, 0), SIZE, -EINVAL);
	host_would(fd, BOTH, mapped(fd, READ_WRITE, MAP_PRIVATE, 0), SIZE, -EINVAL);
	host_would(fd, BOTH, mapped(-1, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0), SIZE, -EINVAL);
	host_would(fd, BOTH, mapped(-1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0), SIZE, -EINVAL);
	host_would(huge, BOTH, mapped(huge, READ_WRITE, MAP_SHARED | MAP_NORESERVE, 0), SIZE,
		   -EOPNOTSUPP);
	close(fd);
	close(other);
	close(huge);
}

/* Neither more nor less than the view's: tables for writing are for who may write. */
static void test_protection_of_a_host(void **state)
{
	int fd = memory_file(SIZE);
	char *writable = map_plain(fd, SIZE, READ_WRITE);
	char *readable = map_plain(fd, SIZE, READ_ONLY);
	char *none = map_plain(fd, SIZE, PROT_NONE);
	char *parts = map_plain(fd, SIZE, READ_WRITE);

	(void)state;
	check(mprotect(parts + SLOT, SLOT, PROT_READ) == 0);
	host_would(fd, BOTH, writable, SIZE, 0);
	host_would(fd, MSHARE_VIEW_READ, readable, SIZE, 0);
	host_would(fd, MSHARE_VIEW_READ, writable, SIZE, -EINVAL);
	host_would(fd, BOTH, readable, SIZE, -EINVAL);
	host_would(fd, MSHARE_VIEW_READ, none, SIZE, -EINVAL);
	host_would(fd, BOTH, none, SIZE, -EINVAL);
	host_would(fd, BOTH, parts, SIZE, -EINVAL);
	host_would(fd, BOTH, parts, SLOT, 0);
	host_would(fd, MSHARE_VIEW_READ, parts + SLOT, SLOT, 0);
	close(fd);
}

static void host_watched(void *arg)
{
	int fd = *(int *)arg;
	char *at = map_plain(fd, SIZE, READ_WRITE);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct bid b = { fd, BOTH, at, SIZE, -EINVAL };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	check(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0);
	check(ioctl(uffd, UFFDIO_REGISTER, &reg) == 0);
	bid(&b);
	close(uffd);
	b.answer = 0;
	bid(&b);
}

static void test_watched_mapping(void **state)
{
	int fd = memory_file(SIZE);

	(void)state;
	child_run(host_watched, &fd);
	close(fd);
}

/* What mmap(2) of an attach descriptor answers: 0 or -errno. */
static int map_view(int view, void *at, size_t len, int prot, int flags, off_t off)
{
	void *got = mmap(at, len, prot, flags | MAP_FIXED, view, off);
	int err = got == MAP_FAILED ? -errno : 0;

	if (!err) {
		check_equal(got, at);
		munmap(got, (len + SLOT - 1) & ~(SLOT - 1));
	}
	return err;
}

static void test_ranges_attached(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	int view = view_attach(fd, READ_WRITE);
	char *at = reserve(4 * SIZE);

	(void)state;
	check(view >= 0);
	check_equal(map_view(view, at, SIZE, READ_WRITE, MAP_SHARED, 0), 0);
	check_equal(map_view(view, at, SLOT, READ_WRITE, MAP_SHARED, SIZE - SLOT), 0);
	check_equal(map_view(view, at, SIZE, READ_WRITE, MAP_PRIVATE, 0), -EINVAL);
	check_equal(map_view(view, at + PAGE, SLOT, READ_WRITE, MAP_SHARED, 0), -EINVAL);
	check_equal(map_view(view, at, PAGE, READ_WRITE, MAP_SHARED, 0), -EINVAL);
	check_equal(map_view(view, at, SLOT + PAGE, READ_WRITE, MAP_SHARED, 0), -EINVAL);
	check_equal(map_view(view, at, SLOT, READ_WRITE, MAP_SHARED, PAGE), -EINVAL);
	check_equal(map_view(view, at, SLOT, READ_WRITE | PROT_EXEC, MAP_SHARED, 0), -EINVAL);
	check_equal(map_view(view, at, SIZE + SLOT, READ_WRITE, MAP_SHARED, 0), -ENXIO);
	check_equal(map_view(view, at, SLOT, READ_WRITE, MAP_SHARED, SIZE), -ENXIO);
	check_equal(map_view(view, at, 2 * SLOT, READ_WRITE, MAP_SHARED, SIZE - SLOT), -ENXIO);
	check_equal(map_view(view, at, SLOT, READ_WRITE, MAP_SHARED, (off_t)1 << 62), -ENXIO);
	check_equal(map_view(view, at, SLOT, READ_ONLY, MAP_SHARED, 0), -EACCES);
	check_equal(map_view(view, at, SLOT, PROT_NONE, MAP_SHARED, 0), -EACCES);
	check_equal(map_view(view, at, SLOT, PROT_WRITE, MAP_SHARED, 0), -EACCES);
	check_equal(view_query(fd, READ_WRITE).links, 0);
	close(view);
	host_leaves(&host);
	close(fd);
}

static int detach_answers(const void *at, size_t len)
{
	struct mshare_ctl_detach arg = {
		.size = sizeof(arg),
		.addr = (uintptr_t)at,
		.len = len,
	};

	return device_call(MSHARE_CTL_DETACH, &arg);
}

static void test_ranges_detached(void **state)
{
	struct scene s = scene_make(SIZE);
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);
	char *next = attach_at(s.fd, SIZE, READ_WRITE, s.at + SIZE);

	(void)state;
	check_equal(detach_answers(s.at, 0), -EINVAL);
	check_equal(detach_answers(s.at, SLOT), -EINVAL);
	check_equal(detach_answers(s.at + SLOT, SIZE - SLOT), -EINVAL);
	check_equal(detach_answers(s.at + 1, SIZE), -EINVAL);
	check_equal(detach_answers(s.at, SIZE - 1), -EINVAL);
	check_equal(detach_answers(s.at, SIZE + 1), -EINVAL);
	check_equal(detach_answers(s.at, 2 * SIZE), -EINVAL); /* two at once */
	check_equal(detach_answers(s.at, SIZE_MAX), -EINVAL);
	check_equal(detach_answers(s.at, -(uintptr_t)s.at), -EINVAL);
	check_equal(detach_answers(plain, SIZE), -EINVAL);
	check_equal(detach_answers(NULL, SIZE), -EINVAL);
	check_equal(detach_answers((void *)-SIZE, SIZE), -EINVAL);
	check_equal(detach_answers((void *)0xffff888000000000, SIZE), -EINVAL);
	pages_check(plain, SIZE, SCENE_SALT);
	pages_check(next, SIZE, SCENE_SALT);
	check_equal(detach_answers(next, SIZE), 0);
	check_equal(detach_answers(next, SIZE), -EINVAL);
	munmap(plain, SIZE);
	scene_end(&s);
}

static void be_both(void *arg)
{
	struct scene *s = arg;
	int device = device_open();
	int other = memory_file(SIZE);
	struct mapping own = { map_plain(other, SIZE, READ_WRITE), SIZE, other };

	/* Attached already, by inheritance: no host, until that is gone. */
	check_equal(view_create(device, other, &own, READ_WRITE), -EBUSY);
	detach(s->at, SIZE);
	check_equal(view_create(device, other, &own, READ_WRITE), 0);
	check_equal(view_create(device, other, &own, READ_WRITE), -EEXIST);
	check(try_attach(s->fd, SIZE, READ_WRITE, NULL) == MAP_FAILED && errno == EBUSY);
	check(try_attach(other, SIZE, READ_WRITE, NULL) == MAP_FAILED && errno == EBUSY);
	/* A host that has closed its device is none. */
	close(device);
	check(COMES_TRUE(try_attach(s->fd, SIZE, READ_WRITE, NULL) != MAP_FAILED));
}

/* Never both: what keeps the order of locks without a cycle. */
static void test_host_or_attached(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	child_run(be_both, &s);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_ranges_of_a_host),
		cmocka_unit_test(test_kinds_of_mappings),
		cmocka_unit_test(test_protection_of_a_host),
		cmocka_unit_test(test_watched_mapping),
		cmocka_unit_test(test_ranges_attached),
		cmocka_unit_test(test_ranges_detached),
		cmocka_unit_test(test_host_or_attached),
	};

	return SHIM_MAIN(cases);
}
