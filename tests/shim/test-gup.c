/* SPDX-License-Identifier: MIT */
/* The kernel reads and writes attached memory on behalf of the process, or of another. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * MIB)
#define PIECE (64 * KIB)

/* Each in a state of its own: all linked, nothing linked. */
static void both_ways(void (*act)(const struct scene *s))
{
	struct scene s = scene_make(SIZE);

	act(&s);
	pages_check(s.at, SIZE, SCENE_SALT);
	check(madvise(s.at, SIZE, MADV_DONTNEED) == 0);
	act(&s);
	scene_end(&s);
}

/* Another mapping of the file, which the module does not know of. */
static char *outside(const struct scene *s)
{
	static char *at;

	if (at)
		munmap(at, SIZE);
	at = map_plain(s->fd, SIZE, READ_WRITE);
	return at;
}

static void through_a_pipe(const struct scene *s)
{
	char *plain = outside(s), bytes[PAGE];
	int ends[2];

	check(pipe(ends) == 0);
	for (size_t off = 0; off < SIZE; off += 37 * PAGE) {
		struct iovec piece = { s->at + off, PAGE };

		check(write(ends[1], s->at + off, PAGE) == PAGE);
		check(read(ends[0], bytes, PAGE) == PAGE && !memcmp(bytes, plain + off, PAGE));
		check(vmsplice(ends[1], &piece, 1, 0) == PAGE);
		check(read(ends[0], bytes, PAGE) == PAGE && !memcmp(bytes, plain + off, PAGE));
		check(write(ends[1], plain + off, PAGE) == PAGE);
		memset(plain + off, 0, PAGE);
		check(read(ends[0], s->at + off, PAGE) == PAGE &&
		      !memcmp(bytes, plain + off, PAGE));
	}
	close(ends[0]);
	close(ends[1]);
}

/* Pages in a pipe, taken from the file meanwhile: the pipe keeps the old ones. */
static void spliced_then_punched(const struct scene *s)
{
	struct iovec piece = { s->at + SLOT, PAGE };
	char before[PAGE], bytes[PAGE];
	int ends[2];

	memcpy(before, s->at + SLOT, PAGE);
	check(pipe(ends) == 0 && vmsplice(ends[1], &piece, 1, 0) == PAGE);
	check(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SLOT, PAGE) == 0);
	check_equal(*(uint64_t *)(void *)(s->at + SLOT), 0);
	check(read(ends[0], bytes, PAGE) == PAGE && !memcmp(bytes, before, PAGE));
	memcpy(s->at + SLOT, before, PAGE);
	close(ends[0]);
	close(ends[1]);
}

static int direct_file(void)
{
	int fd = disk_file(SIZE), direct = file_reopen(fd, O_RDWR | O_DIRECT);

	close(fd);
	return direct;
}

static void direct_io(const struct scene *s)
{
	char *plain = outside(s);
	int fd = direct_file();

	for (size_t off = 0; off < SIZE; off += PIECE)
		check(pwrite(fd, s->at + off, PIECE, (off_t)off) == (ssize_t)PIECE);
	memset(plain, 0, SIZE);
	for (size_t off = 0; off < SIZE; off += PIECE)
		check(pread(fd, s->at + off, PIECE, (off_t)off) == (ssize_t)PIECE);
	pages_check(plain, SIZE, SCENE_SALT);
	close(fd);
}

static ssize_t ring_once(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	ssize_t result;

	check_equal(io_uring_submit_and_wait(ring, 1), 1);
	check_equal(io_uring_wait_cqe(ring, &cqe), 0);
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

static void ring_transfer(const struct scene *s, struct io_uring *ring, int fd, bool fixed)
{
	for (size_t off = 0; off < SIZE; off += PIECE) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (fixed)
			io_uring_prep_write_fixed(sqe, fd, s->at + off, PIECE, off, 0);
		else
			io_uring_prep_write(sqe, fd, s->at + off, PIECE, off);
		check_equal(ring_once(ring), PIECE);
	}
	memset(outside(s), 0, SIZE);
	for (size_t off = 0; off < SIZE; off += PIECE) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (fixed)
			io_uring_prep_read_fixed(sqe, fd, s->at + off, PIECE, off, 0);
		else
			io_uring_prep_read(sqe, fd, s->at + off, PIECE, off);
		check_equal(ring_once(ring), PIECE);
	}
}

static void io_uring(const struct scene *s)
{
	struct io_uring ring;
	int fd = direct_file();

	check_equal(io_uring_queue_init(4, &ring, 0), 0);
	ring_transfer(s, &ring, fd, false);
	pages_check(s->at, SIZE, SCENE_SALT);
	io_uring_queue_exit(&ring);
	close(fd);
}

static int ring_register(struct io_uring *ring, void *at)
{
	struct iovec all = { at, SIZE };

	return io_uring_register_buffers(ring, &all, 1);
}

/* What this kernel says of a file that wants to know what is written to it. */
static int rule_for_files(struct io_uring *ring)
{
	int fd = disk_file(SIZE);
	void *plain = map_plain(fd, SIZE, READ_WRITE);
	int err = ring_register(ring, plain);

	munmap(plain, SIZE);
	close(fd);
	return err;
}

/*
 * The kernel pins pages for long only if it knows that nobody has to be told of writes. Linux 6.1
 * looks at the mapping, which is a file's, and wants no fault that takes the mmap_lock anew. Linux
 * 6.12 looks at the pages where they are linked and writable, and these are of memory; else at the
 * mapping.
 */
static void registered_buffers(const struct scene *s)
{
	struct io_uring ring;
	int fd = direct_file(), rule, err;

	check_equal(io_uring_queue_init(4, &ring, 0), 0);
	rule = rule_for_files(&ring);
	print_message("of a file: %s\n", strerrorname_np(-rule));
	check(rule == -EOPNOTSUPP || rule == -EFAULT);
	check(madvise(s->at, SIZE, MADV_DONTNEED) == 0);
	err = ring_register(&ring, s->at);
	check(err == rule || (rule == -EOPNOTSUPP && err == -ENOMEM));
	pages_fill(s->at, SIZE, SCENE_SALT);
	if (rule == -EOPNOTSUPP) {
		check_equal(ring_register(&ring, s->at), -EOPNOTSUPP);
	} else {
		check_equal(ring_register(&ring, s->at), 0);
		ring_transfer(s, &ring, fd, true);
		pages_check(s->at, SIZE, SCENE_SALT);
	}
	io_uring_queue_exit(&ring);
	close(fd);
}

static void stay(void *arg)
{
	(void)arg;
	pause();
}

static void other_process(const struct scene *s)
{
	char bytes[PAGE], *plain = outside(s);
	pid_t pid = child_start(stay, NULL);

	for (size_t off = 0; off < SIZE; off += 97 * PAGE) {
		struct iovec here = { bytes, PAGE }, there = { s->at + off, PAGE };

		check(process_vm_readv(pid, &here, 1, &there, 1, 0) == PAGE);
		check(!memcmp(bytes, plain + off, PAGE));
		memset(plain + off, 0, PAGE);
		check(process_vm_writev(pid, &here, 1, &there, 1, 0) == PAGE);
	}
	child_kill(pid);
}

static void through_proc_mem(const struct scene *s)
{
	char bytes[PAGE], *plain = outside(s), path[64];
	pid_t pid = child_start(stay, NULL);
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	check(mem >= 0);
	for (size_t off = 0; off < SIZE; off += 97 * PAGE) {
		check(pread(mem, bytes, PAGE, (off_t)(uintptr_t)(s->at + off)) == PAGE);
		check(!memcmp(bytes, plain + off, PAGE));
		memset(plain + off, 0, PAGE);
		check(pwrite(mem, bytes, PAGE, (off_t)(uintptr_t)(s->at + off)) == PAGE);
	}
	close(mem);
	child_kill(pid);
}

static void by_ptrace(const struct scene *s)
{
	pid_t pid = child_start(stay, NULL);
	int status;

	check(ptrace(PTRACE_ATTACH, pid, 0, 0) == 0);
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	for (size_t off = 0; off < SIZE; off += 97 * PAGE) {
		uint64_t *word = (uint64_t *)(void *)(s->at + off), before = *word;

		errno = 0;
		check_equal(ptrace(PTRACE_PEEKDATA, pid, word, 0), before);
		check(errno == 0);
		check(ptrace(PTRACE_POKEDATA, pid, word, before + 1) == 0);
		check_equal(*word, before + 1);
		*word = before;
	}
	child_kill(pid);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		both_ways(name);                                                                   \
	}
CASE(through_a_pipe)
CASE(spliced_then_punched)
CASE(direct_io)
CASE(io_uring)
CASE(registered_buffers)
CASE(other_process)
CASE(through_proc_mem)
CASE(by_ptrace)

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_through_a_pipe),
		cmocka_unit_test(test_spliced_then_punched),
		cmocka_unit_test(test_direct_io),
		cmocka_unit_test(test_io_uring),
		cmocka_unit_test(test_registered_buffers),
		cmocka_unit_test(test_other_process),
		cmocka_unit_test(test_through_proc_mem),
		cmocka_unit_test(test_by_ptrace),
	};

	return SHIM_MAIN(cases);
}
