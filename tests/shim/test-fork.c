/* SPDX-License-Identifier: MIT */
/* Attachments in children, in programs started anew, and in threads. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)
#define GENERATIONS 5
#define THREADS 6
#define ROUNDS 40

struct generation {
	const struct scene *scene;
	int number;
};

/* Reads what its parent wrote, writes for its child, reads what the last of all wrote. */
static void live(void *arg)
{
	const struct generation *own = arg;
	struct generation next = { own->scene, own->number + 1 };

	check_equal(view_query(own->scene->fd, READ_WRITE).links, (uint64_t)own->number + 1);
	pages_check(own->scene->at, SIZE, (uint64_t)own->number);
	pages_fill(own->scene->at, SIZE, (uint64_t)next.number);
	if (next.number <= GENERATIONS)
		child_run(live, &next);
	pages_check(own->scene->at, SIZE, GENERATIONS + 1);
}

static void test_five_generations(void **state)
{
	struct scene s = scene_make(SIZE);
	struct generation first = { &s, 1 };

	(void)state;
	pages_fill(s.at, SIZE, 1);
	child_run(live, &first);
	pages_check(s.at, SIZE, GENERATIONS + 1);
	check_equal(view_query(s.fd, READ_WRITE).links, 1);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

static void outlive(void *arg)
{
	const struct scene *s = arg;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		while (getppid() != 1 && view_query(s->fd, READ_WRITE).links > 2)
			pause_ms(10);
		pages_check(s->at, SIZE, SCENE_SALT);
		_exit(0);
	}
	check(waitpid(pid, &status, WNOHANG) == 0);
}

/* The parent leaves first: its child's link does not depend on it. */
static void test_child_outlives_parent(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	child_run(outlive, &s);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

static void exec_fresh(const struct scene *s)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", s->fd);
	check(fcntl(s->fd, F_SETFD, 0) == 0);
	child_wait(child_exec("--fresh", number, NULL));
}

/* A new program has no attachment of the old one's, and makes its own. */
static int fresh(char **args)
{
	int fd = atoi(args[0]);
	char *at;

	check_equal(view_query(fd, READ_WRITE).links, 1);
	at = attach(fd, SIZE, READ_WRITE);
	pages_check(at, SIZE, SCENE_SALT);
	check_equal(view_query(fd, READ_WRITE).links, 2);
	return 0;
}

static void test_exec(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	exec_fresh(&s);
	check(COMES_TRUE(view_query(s.fd, READ_WRITE).links == 1));
	scene_end(&s);
}

/* The child of vfork() uses the parent's address space, and its links. */
static void test_vfork(void **state)
{
	struct scene s = scene_make(SIZE);
	volatile uint64_t *word = (void *)s.at;
	uint64_t before = *word;
	int status;
	pid_t pid;

	(void)state;
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	pid = vfork();
	if (pid == 0) {
		*word = before + 1;
		_exit(*word == before + 1 ? 0 : 1);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	check_equal(*word, before + 1);
	check_equal(view_query(s.fd, READ_WRITE).links, 1);
	*word = before;
	scene_end(&s);
}

static atomic_bool stop;

static void *verify(void *arg)
{
	const struct scene *s = arg;

	while (!atomic_load(&stop))
		pages_check(s->at, s->size, SCENE_SALT);
	return NULL;
}

static void *drop_links(void *arg)
{
	const struct scene *s = arg;

	while (!atomic_load(&stop)) {
		check(madvise(s->at, s->size, MADV_DONTNEED) == 0);
		check(madvise(s->at + SLOT, SLOT, MADV_COLD) == 0);
	}
	return NULL;
}

static void check_and_leave(void *arg)
{
	const struct scene *s = arg;

	pages_check(s->at, s->size, SCENE_SALT);
}

static void with_threads(void *arg)
{
	struct scene *s = arg;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, i < 2 ? drop_links : verify, s) == 0);
	for (int i = 0; i < ROUNDS; i++)
		child_run(check_and_leave, s);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Threads fault while others drop the links and while the process forks. */
static void test_threads(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	child_run(with_threads, &s);
	scene_end(&s);
}

static void *leave_all(void *arg)
{
	(void)arg;
	_exit(0);
}

static void exit_while_verifying(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		check(pthread_create(&thread, NULL, verify, arg) == 0);
	check(pthread_create(&thread, NULL, leave_all, arg) == 0);
	verify(arg);
}

static void test_exit_with_threads(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		child_run(exit_while_verifying, &s);
	scene_end(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_five_generations),
		cmocka_unit_test(test_child_outlives_parent),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_exit_with_threads),
	};
	char **args = child_mode(argc, argv, "--fresh");

	return args ? fresh(args) : SHIM_MAIN(cases);
}
