/* SPDX-License-Identifier: MIT */
/*
 * madvise(2), process_madvise(2) and userfaultfd(2) on an attachment: each with its result, none
 * with an effect on others. What is for a region is done by its host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#define SIZE (8 * MIB)

static const struct {
	int advice;
	int result; /* of the whole attachment */
} advices[] = {
	{ MADV_NORMAL, 0 },	    { MADV_RANDOM, 0 },
	{ MADV_SEQUENTIAL, 0 },	    { MADV_WILLNEED, 0 },
	{ MADV_DONTNEED, 0 },	    { MADV_DONTNEED_LOCKED, 0 },
	{ MADV_COLD, 0 },	    { MADV_PAGEOUT, 0 },
	{ MADV_POPULATE_READ, 0 },  { MADV_POPULATE_WRITE, 0 },
	{ MADV_DONTDUMP, 0 },	    { MADV_DODUMP, -EINVAL },
	{ MADV_DONTFORK, 0 },	    { MADV_DOFORK, 0 },
	{ MADV_KEEPONFORK, 0 },	    { MADV_WIPEONFORK, -EINVAL },
	{ MADV_HUGEPAGE, 0 },	    { MADV_NOHUGEPAGE, 0 },
	{ MADV_MERGEABLE, 0 },	    { MADV_UNMERGEABLE, 0 },
	{ MADV_COLLAPSE, -EINVAL }, { MADV_FREE, -EINVAL },
	{ MADV_REMOVE, -ENODEV },   { 12345, -EINVAL },
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

/* Huge pages are the host's to make, whatever is said here before. */
static void collapse(const struct scene *s, char *at)
{
	(void)s;
	for (int huge = 0; huge < 2; huge++) {
		check_equal(advise(at, SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
		check_equal(advise(at, SIZE, MADV_COLLAPSE), -EINVAL);
		check_equal(advise(at, SLOT, MADV_COLLAPSE), -EINVAL);
		pages_check(at, SIZE, SCENE_SALT);
	}
}

/* Linked is what Rss says; the host has what it had before. */
static void populate(const struct scene *s, char *at)
{
	static const int advice[] = { MADV_POPULATE_READ, MADV_POPULATE_WRITE };

	(void)s;
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		long faults;

		check_equal(advise(at, SIZE, MADV_DONTNEED), 0);
		check_equal(proc_smaps_bytes(at, "Rss"), 0);
		check_equal(advise(at, SIZE, advice[i]), 0);
		check_equal(proc_smaps_bytes(at, "Rss"), SIZE);
		faults = proc_minor_faults();
		for (size_t off = 0; off < SIZE; off += PAGE)
			(void)*(volatile char *)(at + off);
		check_equal(proc_minor_faults(), faults);
	}
}

/* Holes are filled for all. */
static void populate_holes(const struct scene *s, char *at)
{
	char *plain = map_plain(s->fd, SIZE, READ_WRITE);
	struct stat st;

	check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE) == 0);
	check(fstat(s->fd, &st) == 0);
	check_equal(st.st_blocks, 0);
	check_equal(advise(at, SIZE, MADV_POPULATE_WRITE), 0);
	check(fstat(s->fd, &st) == 0);
	check_equal(st.st_blocks * 512, SIZE);
	bytes_check_zero(plain, SIZE);
	pages_fill(at, SIZE, SCENE_SALT);
	munmap(plain, SIZE);
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

static void stay_attached(void *arg)
{
	pages_check(arg, SIZE, SCENE_SALT);
	raise(SIGSTOP);
	pages_check(arg, SIZE, SCENE_SALT);
}

static ssize_t advise_process(pid_t pid, char *at, int advice)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct iovec all = { at, SIZE };
	ssize_t ret;

	check(fd >= 0);
	ret = syscall(SYS_process_madvise, fd, &all, 1, advice, 0);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	return ret;
}

static void advice_by_another(const struct scene *s, char *at)
{
	static const int taken[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	static const int refused[] = { MADV_COLLAPSE, MADV_DONTNEED, MADV_FREE };
	pid_t pid = child_start(stay_attached, at);
	int status;

	(void)s;
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		check_equal(advise_process(pid, at, taken[i]), SIZE);
		check_equal(advise_process(getpid(), at, taken[i]), SIZE);
		check_equal(advise_process(pid, at, refused[i]), -EINVAL);
		pages_check(at, SIZE, SCENE_SALT);
	}
	check(kill(pid, SIGCONT) == 0);
	child_wait(pid);
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

/* Write tracking without a handler may be asked for most kinds of memory. */
static void tracked(const struct scene *s, char *at)
{
	int uffd = watcher(WP_ASYNC);

	(void)s;
	if (uffd < 0)
		return; /* not on this kernel */
	check_equal(watch(uffd, at, UFFDIO_REGISTER_MODE_WP), -EINVAL);
	close(uffd);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		scene_apart(SIZE, name, true);                                                     \
	}
CASE(each_advice)
CASE(advice_to_a_part)
CASE(collapse)
CASE(populate)
CASE(populate_holes)
CASE(advice_by_another)
CASE(not_inherited)
CASE(watched)
CASE(tracked)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_each_advice),    cmocka_unit_test(test_advice_to_a_part),
		cmocka_unit_test(test_collapse),       cmocka_unit_test(test_populate),
		cmocka_unit_test(test_populate_holes), cmocka_unit_test(test_advice_by_another),
		cmocka_unit_test(test_not_inherited),  cmocka_unit_test(test_watched),
		cmocka_unit_test(test_tracked),
	};

	return SHIM_MAIN(cases);
}
