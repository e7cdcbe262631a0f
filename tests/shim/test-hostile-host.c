/* SPDX-License-Identifier: MIT */
/*
 * A host that changes its own range in every way while others are attached. They see the bytes of
 * the file or get a signal; never anything else of the host's, nor of a page that is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define SIZE (8 * MIB)
#define VICTIMS 3
#define DEEDS 25
#define VILLAINS 3 /* threads, in the last case */
#define VILLAIN_DEEDS 60
#define SECRET 0x5ec2e75ec2e75ec2u

struct tally {
	_Atomic uint64_t right, zero, refused;
	atomic_bool stop;
};

static struct tally *tally;
static sigjmp_buf bus;

static void on_bus(int number)
{
	(void)number;
	siglongjmp(bus, 1);
}

static void fill_secret(char *at, size_t size)
{
	for (size_t off = 0; off < size; off += PAGE)
		*(volatile uint64_t *)(void *)(at + off) = SECRET;
}

/* Reads all pages: their own word, or 0 where a hole was punched, or SIGBUS. */
static void look_at(const char *at, size_t page)
{
	uint64_t word;

	if (sigsetjmp(bus, 1)) {
		atomic_fetch_add(&tally->refused, 1);
		return;
	}
	word = *(const volatile uint64_t *)(const void *)(at + page * PAGE);
	if (word == 0) {
		atomic_fetch_add(&tally->zero, 1);
		return;
	}
	check_equal(word, (page + 1) * 0x9e3779b97f4a7c15u ^ SCENE_SALT);
	atomic_fetch_add(&tally->right, 1);
}

static void be_victim(void *arg)
{
	const struct scene *s = arg;
	char *at = attach(s->fd, SIZE, READ_WRITE);

	signal(SIGBUS, on_bus);
	signal(SIGSEGV, on_bus); /* what the host forbids */
	while (!atomic_load(&tally->stop))
		for (size_t page = 0; page < SIZE / PAGE; page += 7)
			look_at(at, page);
}

/* The deeds: each may fail, none may harm. */
static void move_away(const struct mapping *own)
{
	void *room = reserve(SIZE);

	mremap(own->at, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	usleep(1000);
	mremap(room, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, own->at);
}

static void move_within(const struct mapping *own)
{
	mremap(own->at, SLOT, SLOT, MREMAP_MAYMOVE | MREMAP_FIXED, own->at + 2 * SLOT);
}

/* Secrets are written before they are put in place: another thread may restore the file there. */
static void put_private_memory_there(const struct mapping *own)
{
	char *at = mmap(NULL, SLOT, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	fill_secret(at, SLOT);
	check(mremap(at, SLOT, SLOT, MREMAP_MAYMOVE | MREMAP_FIXED, own->at + SLOT) != MAP_FAILED);
}

static void put_another_file_there(const struct mapping *own)
{
	size_t off = rand() % 2 ? SLOT : PAGE; /* whole slots, or the border of two within it */
	int other = memory_file(off + SLOT);
	char *at = mmap(NULL, SLOT, READ_WRITE, MAP_SHARED, other, (off_t)off);

	check(at != MAP_FAILED);
	fill_secret(at, SLOT);
	check(munmap(at, SLOT) == 0);
	check(mmap(own->at + off, SLOT, READ_WRITE, MAP_SHARED | MAP_FIXED, other, (off_t)off) !=
	      MAP_FAILED);
	close(other);
}

/* One of the pool, which main() has filled. */
static void put_a_huge_page_there(const struct mapping *own)
{
	char *at = mmap(NULL, SLOT, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	check(at != MAP_FAILED);
	fill_secret(at, SLOT);
	check(munmap(at, SLOT) == 0);
	at = mmap(own->at + SLOT, SLOT, READ_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	check(at != MAP_FAILED);
	fill_secret(at, SLOT);
}

/* The window of an old display: no memory, and no page behind it. */
static void put_a_device_there(const struct mapping *own)
{
	int device = open("/dev/mem", O_RDWR | O_CLOEXEC);

	check(device >= 0);
	check(mmap(own->at + SLOT + PAGE, 8 * PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, device,
		   0xa0000) != MAP_FAILED);
	close(device);
}

static void put_other_pages_of_the_file_there(const struct mapping *own)
{
	check(mmap(own->at, SLOT, READ_WRITE, MAP_SHARED | MAP_FIXED, own->fd, SLOT) != MAP_FAILED);
}

static void map_privately(const struct mapping *own)
{
	char *at = mmap(own->at, SIZE, READ_WRITE, MAP_PRIVATE | MAP_FIXED, own->fd, 0);

	check(at != MAP_FAILED);
	fill_secret(at, SIZE);
}

static void protect(const struct mapping *own)
{
	mprotect(own->at, SIZE, PROT_NONE);
	usleep(500);
	mprotect(own->at, SIZE, READ_ONLY);
	usleep(500);
	mprotect(own->at + SLOT / 2, SLOT, READ_WRITE);
	usleep(500);
	mprotect(own->at, SIZE, READ_WRITE);
}

static void unmap(const struct mapping *own)
{
	munmap(own->at + 5 * PAGE, SLOT);
	usleep(500);
	munmap(own->at, SIZE);
}

static void punch(const struct mapping *own)
{
	fallocate(own->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  (off_t)((size_t)rand() % (SIZE / PAGE) * PAGE), 20 * PAGE);
}

static void cut_off(const struct mapping *own)
{
	check(ftruncate(own->fd, (off_t)((size_t)rand() % SIZE)) == 0);
	usleep(500);
	check(ftruncate(own->fd, SIZE) == 0);
}

static void fork_and_write(const struct mapping *own)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		munmap(own->at, SLOT);
		mprotect(own->at + SLOT, SLOT, PROT_NONE);
		_exit(0);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid);
}

static void advise(const struct mapping *own)
{
	static const int advices[] = { MADV_DONTNEED,	MADV_HUGEPAGE,	MADV_COLLAPSE,
				       MADV_COLD,	MADV_PAGEOUT,	MADV_REMOVE,
				       MADV_FREE,	MADV_DONTFORK,	MADV_DOFORK,
				       MADV_WIPEONFORK, MADV_NOHUGEPAGE };

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		madvise(own->at + (size_t)rand() % 4 * SLOT, SLOT, advices[i]);
}

static void lock(const struct mapping *own)
{
	mlock(own->at, SIZE);
	munlock(own->at + SLOT, SLOT);
	munlock(own->at, SIZE);
}

static void watch(const struct mapping *own)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)own->at, SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	check(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0);
	ioctl(uffd, UFFDIO_REGISTER, &reg);
	usleep(1000);
	close(uffd);
}

static host_body *deed;

/* As it was, and the deed again. */
static void restore(const struct mapping *own)
{
	check(mmap(own->at, SIZE, READ_WRITE, MAP_SHARED | MAP_FIXED, own->fd, 0) == own->at);
}

static void do_on_and_on(const struct mapping *own)
{
	srand((unsigned int)getpid());
	usleep(20000);
	for (int i = 0; i < DEEDS; i++) {
		deed(own);
		usleep(2000);
		restore(own);
		usleep(2000);
	}
	atomic_store(&tally->stop, true);
}

/* What does not tell secrets by itself, so that one thread's may be undone by another's. */
static host_body *const villainies[] = {
	move_away,
	move_within,
	put_private_memory_there,
	put_another_file_there,
	put_other_pages_of_the_file_there,
	protect,
	unmap,
	punch,
	cut_off,
	fork_and_write,
	advise,
	lock,
	watch,
	put_a_device_there,
	restore,
};

static void *be_villain(void *own)
{
	for (int i = 0; i < VILLAIN_DEEDS; i++) {
		villainies[(size_t)rand() % (sizeof(villainies) / sizeof(villainies[0]))](own);
		if (rand() % 2)
			restore(own);
	}
	return NULL;
}

/* All of it at once and without a pause. */
static void rage(const struct mapping *own)
{
	struct mapping copy = *own;
	pthread_t threads[VILLAINS];

	srand((unsigned int)getpid());
	usleep(20000);
	for (int i = 0; i < VILLAINS; i++)
		check(pthread_create(&threads[i], NULL, be_villain, &copy) == 0);
	for (int i = 0; i < VILLAINS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	restore(own);
	usleep(20000);
	atomic_store(&tally->stop, true);
}

static void suffer_from(host_body *body)
{
	struct scene s = { .fd = memory_file(SIZE), .size = SIZE };
	char *plain = map_plain(s.fd, SIZE, READ_WRITE);
	pid_t victims[VICTIMS];

	tally = shared_memory(sizeof(*tally));
	pages_fill(plain, SIZE, SCENE_SALT);
	s.host = host_start_with(s.fd, SIZE, READ_WRITE, body);
	for (int i = 0; i < VICTIMS; i++)
		victims[i] = child_start(be_victim, &s);
	while (!atomic_load(&tally->stop)) {
		child_check_all(); /* a host that has failed does not stop them */
		pause_ms(100);
	}
	for (int i = 0; i < VICTIMS; i++)
		child_wait(victims[i]);
	check(atomic_load(&tally->right) > 0);
	print_message("%llu right, %llu zero, %llu refused\n", (unsigned long long)tally->right,
		      (unsigned long long)tally->zero, (unsigned long long)tally->refused);
	host_leaves(&s.host);
	munmap(plain, SIZE);
	munmap(tally, sizeof(*tally));
	close(s.fd);
}

static void suffer(host_body *what)
{
	deed = what;
	suffer_from(do_on_and_on);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		suffer(name);                                                                      \
	}
CASE(move_away)
CASE(move_within)
CASE(put_private_memory_there)
CASE(put_another_file_there)
CASE(put_other_pages_of_the_file_there)
CASE(map_privately)
CASE(protect)
CASE(unmap)
CASE(punch)
CASE(cut_off)
CASE(fork_and_write)
CASE(advise)
CASE(lock)
CASE(watch)
CASE(put_a_huge_page_there)
CASE(put_a_device_there)

static void test_all_at_once(void **state)
{
	(void)state;
	suffer_from(rage);
}

int main(void)
{
	int failed;
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_move_away),
		cmocka_unit_test(test_move_within),
		cmocka_unit_test(test_put_private_memory_there),
		cmocka_unit_test(test_put_another_file_there),
		cmocka_unit_test(test_put_other_pages_of_the_file_there),
		cmocka_unit_test(test_map_privately),
		cmocka_unit_test(test_protect),
		cmocka_unit_test(test_unmap),
		cmocka_unit_test(test_punch),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_fork_and_write),
		cmocka_unit_test(test_advise),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_put_a_huge_page_there),
		cmocka_unit_test(test_put_a_device_there),
		cmocka_unit_test(test_all_at_once),
	};

	check(write_text("/proc/sys/vm/nr_hugepages", "2") == 0);
	failed = SHIM_MAIN(cases);
	check(write_text("/proc/sys/vm/nr_hugepages", "0") == 0);
	return failed;
}
