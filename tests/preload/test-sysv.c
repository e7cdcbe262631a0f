/* SPDX-License-Identifier: MIT */
/* System V segments: unrelated processes meet by key, and everything that the kernel tells about a
 * segment is as ever. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "subject.h"

static key_t key;

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds ds;

	expect(shmctl(id, IPC_STAT, &ds) == 0);
	return ds;
}

static void *attach(int id, int flags)
{
	void *p = shmat(id, NULL, flags);

	expect(p != (void *)-1);
	return p;
}

#define ASKED_SMALL (SIZE + 4096)
#define ASKED_SMALLER (SIZE + 8192)

static void *attach_existing(key_t which, size_t size, int flags)
{
	int id = shmget(which, size, flags);

	expect(id >= 0);
	return attach(id, 0);
}

/* Who asks for less gets all of a segment that exists. */
static void ask_for_less(void)
{
	char *p = attach_existing(key + 0x10000, 4096, 0);
	char *q = attach_existing(key + 0x20000, 8192, IPC_CREAT | 0600);

	expect(p[ASKED_SMALL - 1] == 0 && q[ASKED_SMALLER - 1] == 0);
	expect(shmdt(p) == 0 && shmdt(q) == 0);
}

static void asked_for_less(void)
{
	int small = shmget(key + 0x10000, ASKED_SMALL, IPC_CREAT | IPC_EXCL | 0600);
	int smaller = shmget(key + 0x20000, ASKED_SMALLER, IPC_CREAT | IPC_EXCL | 0600);

	expect(small >= 0 && smaller >= 0);
	in_new_program("ask-for-less");
	expect(shmctl(small, IPC_RMID, NULL) == 0 && shmctl(smaller, IPC_RMID, NULL) == 0);
	expect_converted(ASKED_SMALL);
	expect_converted(ASKED_SMALLER);
}

/* By another process, which has inherited neither mapping nor descriptor. */
static void meet(void)
{
	int id = shmget(key, SIZE, 0);
	char *p;

	expect(id >= 0 && stat_of(id).shm_nattch == 1);
	p = attach(id, 0);
	expect(stat_of(id).shm_nattch == 2);
	expect_filled(p, SIZE, 1);
	fill(p, SIZE, 2);
	expect(shmdt(p) == 0);
	expect(stat_of(id).shm_nattch == 1);
}

static void inherited(void *p)
{
	int id = shmget(key, 0, 0);

	expect(stat_of(id).shm_nattch == 2);
	expect_filled(p, SIZE, 2);
	fill(p, SIZE, 3);
	expect(shmdt(p) == 0);
	expect(stat_of(id).shm_nattch == 1);
}

static void two_processes(int id)
{
	char *p = attach(id, 0);

	fill(p, SIZE, 1);
	in_new_program("meet");
	expect_filled(p, SIZE, 2);
	in_child(inherited, p);
	expect_filled(p, SIZE, 3);
	expect(shmdt(p) == 0);
	expect(stat_of(id).shm_nattch == 0);
	errno = 0;
	expect(shmdt(p) == -1 && errno == EINVAL);
}

static void nothing_stays_mapped(int id)
{
	size_t before = mapped_total();
	void *p = attach(id, 0);
	void *q = attach(id, SHM_RDONLY);

	expect(p != q && stat_of(id).shm_nattch == 2);
	expect_filled(q, SIZE, 3);
	expect(shmdt(q) == 0 && stat_of(id).shm_nattch == 1);
	expect_filled(p, SIZE, 3);
	expect(shmdt(p) == 0 && stat_of(id).shm_nattch == 0);
	expect(mapped_total() == before);
}

/* A process that ends without a word has detached. */
static void leave(void *id)
{
	attach(*(int *)id, 0);
	_exit(0);
}

static void as_asked_for(int id)
{
	struct shmid_ds ds = stat_of(id);

	expect(ds.shm_segsz == SIZE && (ds.shm_perm.mode & 0777) == 0640);
	expect(ds.shm_perm.__key == key && ds.shm_cpid == getpid());
	errno = 0;
	expect(shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
	errno = 0;
	expect(shmget(key, 2 * SIZE, IPC_CREAT | 0600) == -1 && errno == EINVAL);
	expect(shmget(key, SIZE, IPC_CREAT | 0600) == id);
	errno = 0;
	expect(shmat(id, NULL, 0) != (void *)-1 && errno == 0);
}

static void removal(int id)
{
	void *p = attach(id, 0);

	expect(shmctl(id, IPC_RMID, NULL) == 0);
	fill(p, SIZE, 4);
	expect_filled(p, SIZE, 4);
	expect(shmdt(p) == 0);
}

int main(int argc, char **argv)
{
	int id;

	subject_start(argc, argv, (const char *const[]){ NULL });
	if (getenv("TEST_KEY"))
		key = (key_t)atoi(getenv("TEST_KEY"));
	if (is_mode(argc, argv, "meet")) {
		meet();
		return 0;
	}
	if (is_mode(argc, argv, "ask-for-less")) {
		ask_for_less();
		return 0;
	}
	key = (key_t)(0x6d730000 + (getpid() & 0xffff));
	{
		char text[16];

		snprintf(text, sizeof(text), "%d", key);
		expect(setenv("TEST_KEY", text, 1) == 0);
	}
	id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	expect(id >= 0);
	two_processes(id);
	nothing_stays_mapped(id);
	in_child(leave, &id);
	expect(stat_of(id).shm_nattch == 0);
	as_asked_for(id);
	removal(id);
	expect_converted(SIZE);
	asked_for_less();
	return 0;
}
