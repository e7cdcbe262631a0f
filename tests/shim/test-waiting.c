/* SPDX-License-Identifier: MIT */
/*
 * A fault that waits on behalf of the host, here for a frozen file system, does not keep the lock
 * of its address space: other threads map memory meanwhile, and take even its mapping away. One
 * that is in vain ends, whoever makes it.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "scene.h"

#define SIZE (2 * SLOT)
#define PATIENCE 120 /* seconds, for what otherwise never ends */

struct toucher {
	pthread_t thread;
	char *at;
	volatile pid_t tid;
};

static void *touch(void *data)
{
	struct toucher *self = data;

	self->tid = gettid();
	*self->at = 1;
	return NULL;
}

/* In an uninterruptible sleep, as who waits for a frozen file system is. */
static bool sleeps(pid_t tid)
{
	char path[64], text[256], *state;
	FILE *file;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	check(file && fgets(text, sizeof(text), file));
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'D';
}

/* A thread that writes to a page which the host has to bring in, and cannot. */
static void touch_in_vain(const struct scene *s, struct toucher *toucher)
{
	check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0);
	check(ioctl(s->fd, FIFREEZE, 0) == 0);
	*toucher = (struct toucher){ .at = s->at };
	check(pthread_create(&toucher->thread, NULL, touch, toucher) == 0);
	check(COMES_TRUE(sleeps(toucher->tid)));
}

static void thaw(const struct scene *s)
{
	check(ioctl(s->fd, FITHAW, 0) == 0);
}

static struct scene scene_on_disk(void)
{
	char path[DISK_PATH_SIZE];
	int fd = disk_file_in("/scratch", SIZE, path);

	unlink(path);
	return scene_make_of(fd, SIZE);
}

static void leave(struct scene *s)
{
	pages_fill(s->at, SIZE, SCENE_SALT);
	scene_end(s);
}

/* In a child, whose alarm ends it if this hangs: the file system is thawed whatever happens. */
static void map_something(void)
{
	void *at;

	alarm(PATIENCE);
	at = mmap(NULL, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(at != MAP_FAILED && munmap(at, PAGE) == 0);
	alarm(0);
}

static void others_go_on(const struct scene *s)
{
	struct toucher toucher;

	touch_in_vain(s, &toucher);
	map_something();
	thaw(s);
	check(pthread_join(toucher.thread, NULL) == 0);
	check_equal(*s->at, 1);
}

/* The mapping goes while its fault is under way: then there is nothing there any more. */
static void unmapped_meanwhile(const struct scene *s)
{
	struct toucher toucher;

	touch_in_vain(s, &toucher);
	alarm(PATIENCE);
	check(munmap(s->at, SIZE) == 0);
	thaw(s);
	pthread_join(toucher.thread, NULL);
}

static int status_of(const struct scene *s, void (*body)(const struct scene *s))
{
	pid_t child = fork();
	int status;

	check(child >= 0);
	if (!child) {
		signal(SIGSEGV, SIG_DFL); /* not the test framework's handler */
		body(s);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	ioctl(s->fd, FITHAW, 0); /* fails where nothing is frozen any more */
	return status;
}

static void test_others_go_on(void **state)
{
	struct scene s = scene_on_disk();

	(void)state;
	check_equal(status_of(&s, others_go_on), 0);
	leave(&s);
}

static void test_unmapped_meanwhile(void **state)
{
	struct scene s = scene_on_disk();
	int status;

	(void)state;
	status = status_of(&s, unmapped_meanwhile);
	check(WIFSIGNALED(status));
	check_equal(WTERMSIG(status), SIGSEGV);
	leave(&s);
}

/* Nobody has pages past the end of the file; who locks memory is not told to try for ever. */
static void lock_it(const struct scene *s)
{
	alarm(PATIENCE);
	if (mlock(s->at, SIZE) == 0)
		munlock(s->at, SIZE);
	alarm(0);
}

static void test_lock_past_the_end(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	check(ftruncate(s.fd, SLOT + PAGE) == 0);
	check_equal(status_of(&s, lock_it), 0);
	check(ftruncate(s.fd, SIZE) == 0);
	leave(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_unmapped_meanwhile),
		cmocka_unit_test(test_lock_past_the_end),
	};

	return SHIM_MAIN(cases);
}
