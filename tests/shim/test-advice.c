/* SPDX-License-Identifier: MIT */
/*
 * madvise, mlock, mbind, userfaultfd on an attachment: each with its result, none with an effect on
 * others. What is for a region is done by its host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scene.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define SIZE (8 * MIB)

struct deed {
	const struct scene *scene;
	void (*act)(const struct scene *s, char *at);
};

static void do_deed(void *arg)
{
	const struct deed *deed = arg;
	char *at = attach(deed->scene->fd, SIZE, READ_WRITE);

	pages_check(at, SIZE, SCENE_SALT);
	deed->act(deed->scene, at);
	pages_check(at, SIZE, SCENE_SALT);
	detach(at, SIZE);
}

static void harmless(void (*act)(const struct scene *s, char *at))
{
	struct scene s = scene_make(SIZE);
	struct deed deed = { &s, act };

	child_run(do_deed, &deed);
	scene_end(&s);
}

static const struct {
	int advice;
	int result; /* of the whole attachment */
} advices[] = {
	{ MADV_NORMAL, 0 },	      { MADV_RANDOM, 0 },	  { MADV_SEQUENTIAL, 0 },
	{ MADV_DONTNEED, 0 },	      { MADV_COLD, 0 },		  { MADV_PAGEOUT, 0 },
	{ MADV_POPULATE_READ, 0 },    { MADV_POPULATE_WRITE, 0 }, { MADV_DONTDUMP, 0 },
	{ MADV_DONTFORK, 0 },	      { MADV_DOFORK, 0 },	  { MADV_FREE, -EINVAL },
	{ MADV_WIPEONFORK, -EINVAL }, { MADV_COLLAPSE, -EINVAL }, { MADV_REMOVE, -ENODEV },
};

static int advise(char *at, size_t size, int advice)
{
	return madvise(at, size, advice) ? -errno : 0;
}

static void each_advice(const struct scene *s, char *at)
{
	(void)s;
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		int got = advise(at, SIZE, advices[i].advice);

		if (got != advices[i].result)
			print_error("advice %d: %d\n", advices[i].advice, got);
		check_equal(got, advices[i].result);
		pages_check(at, SIZE, SCENE_SALT);
	}
}

/* Of a part: what would split the attachment is refused, what only touches pages is not. */
static void advice_to_a_part(const struct scene *s, char *at)
{
	static const int refused[] = { MADV_DONTFORK, MADV_RANDOM, MADV_DONTDUMP };
	static const int harmless_ones[] = { MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT,
					     MADV_POPULATE_WRITE };

	(void)s;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check_equal(advise(at + SLOT, SLOT, refused[i]), -EINVAL);
	for (size_t i = 0; i < sizeof(harmless_ones) / sizeof(harmless_ones[0]); i++) {
		check_equal(advise(at + SLOT + PAGE, 3 * PAGE, harmless_ones[i]), 0);
		pages_check(at, SIZE, SCENE_SALT);
	}
}

/* Huge pages, merging: taken or not, they may only concern this process. */
static void advice_about_pages(const struct scene *s, char *at)
{
	static const int any[] = { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
				   MADV_UNMERGEABLE };

	(void)s;
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		int got = advise(at, SIZE, any[i]);

		check(got == 0 || got == -EINVAL);
		check_equal(advise(at, SIZE, MADV_COLLAPSE), -EINVAL);
		pages_check(at, SIZE, SCENE_SALT);
	}
}

static void look_for_attachment(void *arg)
{
	check(!proc_mapped(arg, SIZE));
}

static void not_inherited(const struct scene *s, char *at)
{
	uint64_t links = view_query(s->fd, READ_WRITE).links;

	check_equal(advise(at, SIZE, MADV_DONTFORK), 0);
	child_run(look_for_attachment, at);
	check_equal(view_query(s->fd, READ_WRITE).links, links);
}

static void lock(const struct scene *s, char *at)
{
	(void)s;
	check(mlock(at, SIZE) == 0);
	check(mlock(at + SLOT, PAGE) == 0);
	pages_check(at, SIZE, SCENE_SALT);
	check(munlock(at, SIZE) == 0);
	check(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	detach(attach(s->fd, SIZE, READ_WRITE), SIZE);
	check(munlockall() == 0);
}

static void policy(const struct scene *s, char *at)
{
	unsigned long node = 1;

	(void)s;
	for (int mode = MPOL_PREFERRED; mode <= MPOL_INTERLEAVE; mode++) {
		check(syscall(SYS_mbind, at, SIZE, mode, &node, 64, MPOL_MF_MOVE_ALL) == -1);
		check(errno == EINVAL);
		check(syscall(SYS_mbind, at, SLOT, mode, &node, 64, 0) == -1 && errno == EINVAL);
	}
}

static int watch(int uffd, const char *at, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, SIZE },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static int watcher(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	check(uffd >= 0);
	if (ioctl(uffd, UFFDIO_API, &api)) {
		check(errno == EINVAL);
		close(uffd);
		return -1;
	}
	return uffd;
}

static void watched(const struct scene *s, char *at)
{
	int uffd = watcher(0);

	(void)s;
	check(uffd >= 0);
	check_equal(watch(uffd, at, UFFDIO_REGISTER_MODE_MISSING), -EINVAL);
	check_equal(watch(uffd, at, UFFDIO_REGISTER_MODE_WP), -EINVAL);
	close(uffd);
}

#define WP_ASYNC (1 << 15) /* UFFD_FEATURE_WP_ASYNC, from Linux 6.7 on */

/* Write tracking without a handler may be asked for memory of any kind. */
static void tracked(const struct scene *s, char *at)
{
	int uffd = watcher(WP_ASYNC);
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)at, SIZE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	(void)s;
	if (uffd < 0)
		return; /* not on this kernel */
	if (watch(uffd, at, UFFDIO_REGISTER_MODE_WP) == 0) {
		check(ioctl(uffd, UFFDIO_WRITEPROTECT, &protect) == 0 || errno == EINVAL);
		alarm(60); /* the next access must come to an end */
		pages_check(at, SIZE, SCENE_SALT);
		pages_fill(at, SIZE, SCENE_SALT);
		alarm(0);
	}
	close(uffd);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		harmless(name);                                                                    \
	}
CASE(each_advice)
CASE(advice_to_a_part)
CASE(advice_about_pages)
CASE(not_inherited)
CASE(lock)
CASE(policy)
CASE(watched)
CASE(tracked)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_each_advice),
		cmocka_unit_test(test_advice_to_a_part),
		cmocka_unit_test(test_advice_about_pages),
		cmocka_unit_test(test_not_inherited),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_watched),
		cmocka_unit_test(test_tracked),
	};

	return SHIM_MAIN(cases);
}
