/* SPDX-License-Identifier: MIT */
/*
 * What is attached for reading cannot be written, by no way there is; and it shows what others
 * write.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * MIB)

static const char *target; /* attached for reading in the child that does the deed */

/* A writer attached, and two hosts: one of each protection. */
static void with_reader(child_body *body)
{
	struct scene s = scene_make(SIZE);
	struct host reader = host_start(s.fd, SIZE, READ_ONLY);

	target = attach(s.fd, SIZE, READ_ONLY);
	pages_check(target, SIZE, SCENE_SALT);
	check_equal(view_query(s.fd, READ_ONLY).links, 1);
	child_run(body, &s);
	pages_check(target, SIZE, SCENE_SALT);
	detach((void *)target, SIZE);
	host_leaves(&reader);
	scene_end(&s);
}

static void follows_writer(void *arg)
{
	const struct scene *s = arg;

	for (uint64_t salt = 1; salt < 5; salt++) {
		pages_fill(s->at, SIZE, salt);
		pages_check(target, SIZE, salt);
	}
	pages_fill(s->at, SIZE, SCENE_SALT);
}

static void store(void *arg)
{
	(void)arg;
	*(volatile char *)target = 1;
}

static void stores_fault(void *arg)
{
	check_equal(signal_of(store, arg), SIGSEGV);
	check(madvise((void *)target, SIZE, MADV_DONTNEED) == 0);
	check_equal(signal_of(store, arg), SIGSEGV); /* also when nothing is linked */
}

static void write_behind_link(void *arg)
{
	(void)arg;
	(void)*(volatile const char *)target;
	*(volatile char *)target = 1;
}

static void stores_fault_after_reading(void *arg)
{
	check_equal(signal_of(write_behind_link, arg), SIGSEGV);
}

static void read_refused(int fd, const char *what)
{
	ssize_t n = pread(fd, (void *)target, PAGE, 0);

	if (n != -1)
		print_error("%s: read %zd bytes\n", what, n);
	check(n == -1 && errno == EFAULT);
}

static void kernel_refuses_to_write(void *arg)
{
	char bytes[PAGE] = { 1 };
	int fd = disk_file(2 * PAGE), pipes[2];
	struct iovec to = { (void *)target, PAGE };
	int direct;

	(void)arg;
	check(pwrite(fd, bytes, PAGE, 0) == PAGE && fsync(fd) == 0);
	read_refused(fd, "read");
	direct = file_reopen(fd, O_RDWR | O_DIRECT);
	read_refused(direct, "O_DIRECT");
	(void)*(volatile const char *)target; /* linked: now without any fault */
	read_refused(direct, "O_DIRECT, linked");
	check(pipe(pipes) == 0 && write(pipes[1], bytes, PAGE) == PAGE);
	check(readv(pipes[0], &to, 1) == -1 && errno == EFAULT);
}

static void io_uring_refuses(void *arg)
{
	struct io_uring ring;
	struct iovec to = { (void *)target, SIZE };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int fd = disk_file(PAGE);

	(void)arg;
	check_equal(io_uring_queue_init(4, &ring, 0), 0);
	check(io_uring_register_buffers(&ring, &to, 1) < 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, fd, (void *)target, PAGE, 0);
	check_equal(io_uring_submit_and_wait(&ring, 1), 1);
	check_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	check_equal(cqe->res, -EFAULT);
	io_uring_queue_exit(&ring);
	close(fd);
}

/* What the kernel stores by itself, a word at a time. */
static void atomics_refused(void *arg)
{
	uint32_t here = 0;

	(void)arg;
	check_equal(syscall(SYS_futex, &here, FUTEX_WAKE_OP, 0, 0, target,
			    FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)),
		    -1);
	check_equal(errno, EFAULT);
	check(syscall(SYS_futex, target, FUTEX_LOCK_PI, 0, NULL) == -1 && errno == EFAULT);
	check(syscall(SYS_get_robust_list, 0, target, target) == -1 && errno == EFAULT);
}

static void mapping_refuses(void *arg)
{
	const struct scene *s = arg;
	int view = view_attach(s->fd, READ_ONLY);

	check(mprotect((void *)target, SIZE, READ_WRITE) == -1 && errno == EACCES);
	check(madvise((void *)target, SIZE, MADV_POPULATE_WRITE) == -1);
	check(errno == EINVAL || errno == EFAULT);
	check(mmap(reserve(SIZE), SIZE, READ_WRITE, MAP_SHARED | MAP_FIXED, view, 0) == MAP_FAILED);
	check_equal(errno, EACCES);
	check(mmap(reserve(SIZE), SIZE, READ_ONLY, MAP_PRIVATE | MAP_FIXED, view, 0) == MAP_FAILED);
	check_equal(errno, EINVAL);
	check(write(view, "x", 1) == -1);
	check(ftruncate(view, 0) == -1);
	check(fallocate(view, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == -1);
}

static void stay(void *arg)
{
	(void)arg;
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
}

static void poke_by_mem(pid_t pid)
{
	char path[64];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	check(mem >= 0);
	check(pwrite(mem, "x", 1, (off_t)(uintptr_t)target) == -1);
	close(mem);
}

static void debugger_refused(void *arg)
{
	pid_t pid = child_start(stay, arg);
	uint64_t word = 1;
	struct iovec from = { &word, sizeof(word) }, to = { (void *)target, sizeof(word) };
	int status;

	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	errno = 0;
	check_equal(ptrace(PTRACE_PEEKDATA, pid, target, 0),
		    *(const uint64_t *)(const void *)target);
	check(errno == 0);
	check(ptrace(PTRACE_POKEDATA, pid, target, 1) == -1);
	check(process_vm_writev(pid, &from, 1, &to, 1, 0) == -1 && errno == EFAULT);
	poke_by_mem(pid);
	child_kill(pid);
}

/* The descriptor decides: who could not map for writing cannot attach for it. */
static void descriptor_decides(void *arg)
{
	const struct scene *s = arg;
	int fd = file_reopen(s->fd, O_RDONLY);

	check_equal(view_attach(fd, READ_WRITE), -EACCES);
	detach(attach(fd, SIZE, READ_ONLY), SIZE);
	close(fd);
	fd = file_reopen(s->fd, O_WRONLY);
	check_equal(view_attach(fd, READ_ONLY), -EACCES);
	check_equal(view_attach(fd, READ_WRITE), -EACCES);
	close(fd);
	fd = file_reopen(s->fd, O_PATH);
	check_equal(view_attach(fd, READ_ONLY), -EBADF);
}

/* Sealed while others are attached: they stay, new writers are refused. */
static void sealed(void *arg)
{
	const struct scene *s = arg;

	check(fcntl(s->fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EBUSY);
	check(fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE) == 0);
	check_equal(view_attach(s->fd, READ_WRITE), -EPERM);
	detach(attach(s->fd, SIZE, READ_ONLY), SIZE);
	check(ftruncate(s->fd, 0) == -1 && errno == EPERM);
	pages_fill(s->at, SIZE, 9);
	pages_check(target, SIZE, 9);
	pages_fill(s->at, SIZE, SCENE_SALT);
}

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		with_reader(name);                                                                 \
	}
CASE(follows_writer)
CASE(stores_fault)
CASE(stores_fault_after_reading)
CASE(kernel_refuses_to_write)
CASE(io_uring_refuses)
CASE(atomics_refused)
CASE(mapping_refuses)
CASE(debugger_refused)
CASE(descriptor_decides)

static void test_sealed(void **state)
{
	struct scene s = scene_make(SIZE);
	struct host reader = host_start(s.fd, SIZE, READ_ONLY);

	(void)state;
	target = attach(s.fd, SIZE, READ_ONLY);
	child_run(sealed, &s);
	pages_check(s.at, SIZE, SCENE_SALT);
	pages_check(target, SIZE, SCENE_SALT);
	detach((void *)target, SIZE);
	detach(s.at, SIZE);
	host_leaves(&reader);
	host_leaves(&s.host);
	check(fcntl(s.fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	close(s.fd);
}

/* To the OOM reaper such a mapping is a private one. */
static void test_who_may_only_read_does_not_host(void **state)
{
	struct scene s = scene_make(SIZE);
	struct mapping own = { .size = SIZE };
	int device = device_open();

	(void)state;
	own.fd = file_reopen(s.fd, O_RDONLY);
	own.at = map_plain(own.fd, SIZE, READ_ONLY);
	check_equal(view_create(device, own.fd, &own, READ_ONLY), -EACCES);
	check_equal(view_create(device, s.fd, &own, READ_ONLY), -EINVAL);
	check(munmap(own.at, SIZE) == 0);
	close(own.fd);
	close(device);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_follows_writer),
		cmocka_unit_test(test_stores_fault),
		cmocka_unit_test(test_stores_fault_after_reading),
		cmocka_unit_test(test_kernel_refuses_to_write),
		cmocka_unit_test(test_io_uring_refuses),
		cmocka_unit_test(test_atomics_refused),
		cmocka_unit_test(test_mapping_refuses),
		cmocka_unit_test(test_debugger_refused),
		cmocka_unit_test(test_descriptor_decides),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_who_may_only_read_does_not_host),
	};

	return SHIM_MAIN(cases);
}
