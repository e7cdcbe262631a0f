/* SPDX-License-Identifier: MIT */
/*
 * Hosts whose mapping is within the rules of mmap(2) and yet not the ordinary one: of memory that
 * the kernel itself may not touch, executable, in pieces off the grid; and one that the OOM killer
 * reaps.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define SIZE (4 * SLOT)
#define PATIENCE 120 /* seconds, for what otherwise never ends */
#define EXECUTABLE (PROT_READ | PROT_WRITE | PROT_EXEC)

/*
 * The kernel keeps off such pages by looking at the VMA, which is not the file's where it is
 * attached.
 */
static void test_secret_memory(void **state)
{
	struct mapping own = { NULL, SLOT, (int)syscall(SYS_memfd_secret, 0) };
	int device = device_open();

	(void)state;
	check(own.fd >= 0);
	check(ftruncate(own.fd, SLOT) == 0);
	own.at = map_plain(own.fd, SLOT, READ_WRITE);
	check_equal(view_create(device, own.fd, &own, READ_WRITE), -EOPNOTSUPP);
	munmap(own.at, SLOT);
	close(own.fd);
	close(device);
}

/* Files that are made by the kernel as they are read have pages of any kind, or none. */
static void test_file_of_the_kernel(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct mshare_ctl_query query;

	(void)state;
	check(fd >= 0);
	check_equal(view_try_query(fd, READ_ONLY, &query), -EOPNOTSUPP);
	close(fd);
}

/* What mmap(2) refuses to share for writing, attaching must not give. */
static void test_append_only_file(void **state)
{
	int fd = disk_file(SLOT);
	struct host host = host_start(fd, SLOT, READ_WRITE);
	unsigned int flags = FS_APPEND_FL, none = 0;

	(void)state;
	check(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
	check(mmap(NULL, SLOT, READ_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	check_equal(view_attach(fd, READ_WRITE), -EACCES);
	check(ioctl(fd, FS_IOC_SETFLAGS, &none) == 0);
	host_leaves(&host);
	close(fd);
}

static void test_executable_mapping(void **state)
{
	struct mapping own = { NULL, SLOT, memory_file(SLOT) };
	int device = device_open();

	(void)state;
	own.at = map_plain(own.fd, SLOT, EXECUTABLE);
	check_equal(view_create(device, own.fd, &own, READ_WRITE), -EINVAL);
	munmap(own.at, SLOT);
	close(own.fd);
	close(device);
}

static struct signpost changed;

static void become_executable(const struct mapping *own)
{
	own->at[0] = (char)0xc3; /* ret */
	check(mprotect(own->at, own->size, EXECUTABLE) == 0);
	signpost_raise(&changed);
}

static void run_it(void *at)
{
	((void (*)(void))at)();
}

/* Its tables allow what no attached process has asked for. */
static void test_host_becomes_executable(void **state)
{
	struct host host;
	char *at;
	int fd = memory_file(SIZE);
	int death;

	(void)state;
	signpost_make(&changed);
	host = host_start_with(fd, SIZE, READ_WRITE, become_executable);
	signpost_await(&changed);
	at = attach(fd, SIZE, READ_WRITE);
	death = signal_of(run_it, at);
	check(death == SIGBUS || death == SIGSEGV);
	detach(at, SIZE);
	host_leaves(&host);
	signpost_close(&changed);
	close(fd);
}

/* Of a few pages in the middle of slots: the kernel cuts its mapping there. */
static void cut_own_mapping(const struct mapping *own)
{
	check(mlock(own->at + PAGE, PAGE) == 0);
	check(madvise(own->at + SLOT + 3 * PAGE, PAGE, MADV_RANDOM) == 0);
	check(madvise(own->at + 3 * SLOT - PAGE, 2 * PAGE, MADV_DONTDUMP) == 0);
	signpost_raise(&changed);
}

static void test_host_in_pieces(void **state)
{
	struct host host;
	char *at;
	int fd = memory_file(SIZE);

	(void)state;
	signpost_make(&changed);
	host = host_start_with(fd, SIZE, READ_WRITE, cut_own_mapping);
	signpost_await(&changed);
	at = attach(fd, SIZE, READ_WRITE);
	alarm(PATIENCE);
	pages_fill(at, SIZE, 3);
	pages_check(at, SIZE, 3);
	pages_check_file(fd, SIZE, 3);
	alarm(0);
	check_equal(view_query(fd, READ_WRITE).tables, SIZE / SLOT);
	detach(at, SIZE);
	host_leaves(&host);
	signpost_close(&changed);
	close(fd);
}

/* A slot is linked whole or not at all. */
static void take_a_page_away(const struct mapping *own)
{
	own->at[0] = 1; /* mapped, so that nothing is missing but the other page */
	check(munmap(own->at + PAGE, PAGE) == 0);
	signpost_raise(&changed);
}

static void touch(void *at)
{
	alarm(PATIENCE);
	(void)*(volatile char *)at;
}

static void test_host_with_a_hole(void **state)
{
	struct host host;
	char *at;
	int fd = memory_file(SIZE);

	(void)state;
	signpost_make(&changed);
	host = host_start_with(fd, SIZE, READ_WRITE, take_a_page_away);
	signpost_await(&changed);
	at = attach(fd, SIZE, READ_WRITE);
	check_equal(signal_of(touch, at), SIGBUS);
	check_equal(signal_of(touch, at + PAGE), SIGBUS);
	check_equal(signal_of(touch, at + SLOT), 0);
	detach(at, SIZE);
	host_leaves(&host);
	signpost_close(&changed);
	close(fd);
}

static void await_stop_at_exit(pid_t pid)
{
	int status;

	for (;;) {
		check(waitpid(pid, &status, __WALL) == pid);
		check(WIFSTOPPED(status));
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			return;
		check(ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status)) == 0);
	}
}

/* Kills, and has its memory taken while it is still there, as the OOM killer does. */
static void kill_and_reap(const struct host *host)
{
	int pidfd = (int)syscall(SYS_pidfd_open, host->pid, 0);
	int status;

	check(pidfd >= 0);
	check(ptrace(PTRACE_SEIZE, host->pid, 0, PTRACE_O_TRACEEXIT) == 0);
	check(kill(host->pid, SIGKILL) == 0);
	await_stop_at_exit(host->pid);
	check(syscall(SYS_process_mrelease, pidfd, 0) == 0);
	check(ptrace(PTRACE_CONT, host->pid, 0, 0) == 0);
	check(waitpid(host->pid, &status, __WALL) == host->pid);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(pidfd);
}

/* What a host had mapped stays mapped for who is attached, and what it had not can still be. */
static void survive_reaped_host(int fd, int prot)
{
	struct host host = host_start(fd, SIZE, prot);
	char *at = attach(fd, SIZE, prot);

	pages_check(at, SIZE / 2, 8);
	kill_and_reap(&host);
	pages_check(at, SIZE, 8);
	check(madvise(at, SIZE, MADV_DONTNEED) == 0);
	check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SLOT) == 0);
	bytes_check_zero(at, SLOT);
	detach(at, SIZE);
}

static void test_reaped_host(void **state)
{
	int fd = memory_file(SIZE);

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, 8);
	survive_reaped_host(fd, READ_WRITE);
	close(fd);
}

/* A view for reading, of who may write: see test-read-only.c for who may not. */
static void test_reaped_host_of_a_view_for_reading(void **state)
{
	int fd = memory_file(SIZE);

	(void)state;
	pages_fill(map_plain(fd, SIZE, READ_WRITE), SIZE, 8);
	survive_reaped_host(fd, READ_ONLY);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_secret_memory),
		cmocka_unit_test(test_file_of_the_kernel),
		cmocka_unit_test(test_append_only_file),
		cmocka_unit_test(test_executable_mapping),
		cmocka_unit_test(test_host_becomes_executable),
		cmocka_unit_test(test_host_in_pieces),
		cmocka_unit_test(test_host_with_a_hole),
		cmocka_unit_test(test_reaped_host),
		cmocka_unit_test(test_reaped_host_of_a_view_for_reading),
	};

	return SHIM_MAIN(cases);
}
