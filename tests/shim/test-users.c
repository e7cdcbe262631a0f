/* SPDX-License-Identifier: MIT */
/*
 * Several users. The descriptor of the file is the right, and the device adds none to it; tables
 * are those of a host whose user is the caller, the owner of the file, or root: never of anybody
 * else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (2 * SLOT)
#define OWNER 1000
#define STRANGER 1001
#define NOBODY 65534
#define PATH "/dev/shm/mshare-test-users"

static void become(uid_t user)
{
	check(setgid(user) == 0 && setuid(user) == 0);
}

/* A file by name of the owner's; everybody may do what mode says. */
static int file_of_owner(mode_t mode)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	check(fd >= 0 && ftruncate(fd, SIZE) == 0);
	check(fchown(fd, OWNER, OWNER) == 0 && fchmod(fd, mode) == 0);
	return fd;
}

/* A host that runs as somebody. */
struct order {
	uid_t user;
	int flags; /* to open the file with */
	int prot;
	struct signpost ready, leave;
};

static void be_host_of(void *arg)
{
	struct order *order = arg;
	struct mapping own = { NULL, SIZE, -1 };
	int device;

	become(order->user);
	device = device_open();
	own.fd = open(PATH, order->flags | O_CLOEXEC);
	check(own.fd >= 0);
	own.at = map_plain(own.fd, SIZE, order->prot);
	check_equal(view_create(device, own.fd, &own, order->prot), 0);
	signpost_raise(&order->ready);
	signpost_await(&order->leave);
}

static pid_t host_as(struct order *order, uid_t user, int flags, int prot)
{
	pid_t pid;

	*order = (struct order){ .user = user, .flags = flags, .prot = prot };
	signpost_make(&order->ready);
	signpost_make(&order->leave);
	pid = child_start(be_host_of, order);
	signpost_await(&order->ready);
	return pid;
}

static void host_ends(struct order *order, pid_t pid)
{
	signpost_raise(&order->leave);
	child_wait(pid);
	signpost_close(&order->ready);
	signpost_close(&order->leave);
}

/* What somebody gets who opens the file and attaches. */
struct attempt {
	uid_t user;
	int flags;
	int prot;
	int answer; /* of ATTACH: 0 or -errno */
};

static void attempt_as(void *arg)
{
	const struct attempt *a = arg;
	int fd, got;

	become(a->user);
	fd = open(PATH, a->flags | O_CLOEXEC);
	check(fd >= 0);
	got = view_attach(fd, a->prot);
	if (got < 0 || a->answer < 0)
		check_equal(got, a->answer);
	else
		pages_check(attach(fd, SIZE, a->prot), SIZE, SCENE_SALT);
}

static void attaches(uid_t user, int flags, int prot, int answer)
{
	struct attempt a = { user, flags, prot, answer };

	child_run(attempt_as, &a);
}

static void cannot_open(void *arg)
{
	(void)arg;
	become(STRANGER);
	check(open(PATH, O_RDONLY | O_CLOEXEC) == -1 && errno == EACCES);
	check(open(PATH, O_RDWR | O_CLOEXEC) == -1 && errno == EACCES);
}

static void reads_only(void *arg)
{
	int fd, other;

	(void)arg;
	become(STRANGER);
	check(open(PATH, O_RDWR | O_CLOEXEC) == -1 && errno == EACCES);
	fd = open(PATH, O_RDONLY | O_CLOEXEC);
	other = open(PATH, O_PATH | O_CLOEXEC);
	check(fd >= 0 && other >= 0);
	check_equal(view_attach(fd, READ_WRITE), -EACCES);
	check_equal(view_attach(other, READ_WRITE), -EBADF);
	check_equal(view_attach(other, READ_ONLY), -EBADF);
	check(mmap(NULL, SIZE, READ_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
}

/* Neither the name nor the device help who has no right to the file. */
static void test_without_right(void **state)
{
	struct order order;
	int fd = file_of_owner(0600);
	pid_t host = host_as(&order, OWNER, O_RDWR, READ_WRITE);

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, SCENE_SALT);
	attaches(OWNER, O_RDWR, READ_WRITE, 0);
	child_run(cannot_open, NULL);
	check(fchmod(fd, 0644) == 0);
	child_run(reads_only, NULL);
	host_ends(&order, host);
	check(unlink(PATH) == 0);
	close(fd);
}

/* The owner's host serves all who may open his file. */
static void test_host_of_the_owner(void **state)
{
	struct order order, reader;
	int fd = file_of_owner(0666);
	pid_t host = host_as(&order, OWNER, O_RDWR, READ_WRITE);
	pid_t readers_host = host_as(&reader, OWNER, O_RDWR, READ_ONLY);

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, SCENE_SALT);
	attaches(OWNER, O_RDWR, READ_WRITE, 0);
	attaches(STRANGER, O_RDWR, READ_WRITE, 0);
	attaches(STRANGER, O_RDONLY, READ_ONLY, 0);
	attaches(0, O_RDWR, READ_WRITE, 0);
	attaches(NOBODY, O_RDWR, READ_ONLY, 0);
	host_ends(&order, host);
	host_ends(&reader, readers_host);
	check(unlink(PATH) == 0);
	close(fd);
}

static void test_host_of_root(void **state)
{
	struct order order;
	int fd = file_of_owner(0666);
	pid_t host = host_as(&order, 0, O_RDWR, READ_WRITE);

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, SCENE_SALT);
	attaches(OWNER, O_RDWR, READ_WRITE, 0);
	attaches(STRANGER, O_RDWR, READ_WRITE, 0);
	attaches(0, O_RDWR, READ_WRITE, 0);
	host_ends(&order, host);
	check(unlink(PATH) == 0);
	close(fd);
}

/* Nobody but a stranger himself joins his host: not the owner, not root, nobody else. */
static void test_host_of_a_stranger(void **state)
{
	struct order order, owners;
	int fd = file_of_owner(0666);
	pid_t host = host_as(&order, STRANGER, O_RDWR, READ_WRITE), second;

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, SCENE_SALT);
	attaches(STRANGER, O_RDWR, READ_WRITE, 0);
	attaches(OWNER, O_RDWR, READ_WRITE, -ENOENT);
	attaches(0, O_RDWR, READ_WRITE, -ENOENT);
	attaches(NOBODY, O_RDWR, READ_WRITE, -ENOENT);
	/* Nor does he keep others from hosting. */
	second = host_as(&owners, OWNER, O_RDWR, READ_WRITE);
	attaches(OWNER, O_RDWR, READ_WRITE, 0);
	attaches(0, O_RDWR, READ_WRITE, 0);
	attaches(NOBODY, O_RDWR, READ_WRITE, 0);
	attaches(STRANGER, O_RDWR, READ_WRITE, 0);
	host_ends(&owners, second);
	attaches(OWNER, O_RDWR, READ_WRITE, -ENOENT);
	host_ends(&order, host);
	check(unlink(PATH) == 0);
	close(fd);
}

/* The statistics of a view are for who could attach to it. */
static void asks_as_stranger(void *arg)
{
	struct mshare_ctl_query query;
	int fd;

	(void)arg;
	become(STRANGER);
	fd = open(PATH, O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	check_equal(view_try_query(fd, READ_WRITE, &query), -ENOENT);
	check(open("/sys/kernel/debug/mshare/views", O_RDONLY | O_CLOEXEC) == -1);
	check_equal(errno, EACCES);
}

static void flushes_as_stranger(void *arg)
{
	struct mshare_ctl_flush flush = {
		.size = sizeof(flush),
		.prot = MSHARE_VIEW_READ | MSHARE_VIEW_WRITE,
		.len = SLOT,
	};

	(void)arg;
	become(STRANGER);
	flush.fd = open(PATH, O_RDWR | O_CLOEXEC);
	check(flush.fd >= 0);
	check_equal(device_call(MSHARE_CTL_FLUSH, &flush), -ENOENT);
}

static void test_views_of_others_are_hidden(void **state)
{
	struct order order;
	int fd = file_of_owner(0666);
	pid_t host = host_as(&order, NOBODY, O_RDWR, READ_WRITE);

	(void)state;
	child_run(asks_as_stranger, NULL);
	child_run(flushes_as_stranger, NULL);
	host_ends(&order, host);
	check(unlink(PATH) == 0);
	close(fd);
}

static void all_by_himself(void *arg)
{
	struct scene s;

	(void)arg;
	become(NOBODY);
	s = scene_make(SIZE);
	scene_end(&s);
}

/* An unprivileged user has all of it for his own files. */
static void test_nobody_shares_with_himself(void **state)
{
	struct stat st;

	(void)state;
	check(stat("/dev/mshare", &st) == 0);
	check_equal(st.st_mode & 07777, 0666);
	child_run(all_by_himself, NULL);
}

static void looks_at_others(void *arg)
{
	static unsigned char resident[SIZE / PAGE];
	int fd;
	char *at;

	(void)arg;
	become(STRANGER);
	fd = open(PATH, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	at = attach(fd, SIZE, READ_ONLY);
	(void)*(volatile char *)at;
	check(mincore(at, SIZE, resident) == 0);
	for (size_t i = 0; i < SIZE / PAGE; i++)
		check_equal(resident[i] & 1, 1);
}

/* What is in memory of a file that one may not write is not told: mincore(2) says all of it is. */
static void test_use_by_others_is_hidden(void **state)
{
	struct order order;
	int fd = file_of_owner(0644);
	pid_t host = host_as(&order, OWNER, O_RDWR, READ_ONLY);

	(void)state;
	child_run(looks_at_others, NULL);
	host_ends(&order, host);
	check(unlink(PATH) == 0);
	close(fd);
}

static int clean(void **state)
{
	(void)state;
	unlink(PATH);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clean, clean)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(test_without_right),
		CASE(test_host_of_the_owner),
		CASE(test_host_of_root),
		CASE(test_host_of_a_stranger),
		CASE(test_views_of_others_are_hidden),
		CASE(test_nobody_shares_with_himself),
		CASE(test_use_by_others_is_hidden),
	};

	return SHIM_MAIN(cases);
}
