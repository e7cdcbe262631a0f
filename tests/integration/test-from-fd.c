/* SPDX-License-Identifier: MIT */
/* mshare_from_fd(): which descriptors make a region, and that the caller's own stays the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

/* A descriptor whose file the backend can map, made without the library. */
static int suitable_file(size_t size)
{
	int fd;

	if (backend_takes_shmem())
		return memory_file(size);
	fd = memfd_create("mshare-test", MFD_CLOEXEC | MFD_HUGETLB);
	check(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static void works_on(int fd, size_t size)
{
	mshare_t r = mshare_from_fd(fd, NULL);
	void *direct, *p;

	check(r);
	check(mshare_fd(r) != fd);
	check(fcntl(mshare_fd(r), F_GETFD) & FD_CLOEXEC);
	check_equal(region_size(r), size);
	check_equal(region_stat(r, 0).backend, backend_id());
	p = region_attach_all(r);
	bytes_fill(p, size, 8);
	direct = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	check(direct != MAP_FAILED);
	bytes_check(direct, size, 8);
	check(munmap(direct, size) == 0);
	region_end(r);
	check(fcntl(fd, F_GETFD) >= 0);
	check(munmap(p, backend_mapped(size)) == 0);
}

static void memory(void **state)
{
	int fd = suitable_file(2 * pmd_size());

	(void)state;
	works_on(fd, 2 * pmd_size());
	close(fd);
}

static void posix_shared_memory(void **state)
{
	char name[NAME_SIZE];
	int fd = shm_open(name_make(name, "fd"), O_RDWR | O_CREAT | O_EXCL, 0600);

	(void)state;
	check(fd >= 0 && shm_unlink(name) == 0 && ftruncate(fd, (off_t)pmd_size()) == 0);
	if (backend_takes_shmem())
		works_on(fd, pmd_size());
	else
		check_refused(!mshare_from_fd(fd, NULL), EOPNOTSUPP);
	close(fd);
}

static void regular_file(void **state)
{
	const size_t size = pmd_size() + page_size();
	int fd = disk_file(size);

	(void)state;
	if (backend_takes_files())
		works_on(fd, size);
	else
		check_refused(!mshare_from_fd(fd, NULL), EOPNOTSUPP);
	close(fd);
}

static void length_between_pages(void **state)
{
	int fd;
	mshare_t r;
	char *p;

	(void)state;
	if (!backend_takes_shmem()) /* hugetlb files cannot have such a length */
		return;
	fd = memory_file(4097);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check_equal(region_size(r), 4097);
	p = mshare_attach(r, NULL, 0, 4097, READ_WRITE, 0);
	check(p != MAP_FAILED);
	p[4096] = 'z';
	check(pread(fd, p, 1, 4096) == 1 && p[0] == 'z');
	check(mshare_detach(r, p, 4097) == 0);
	region_end(r);
	close(fd);
}

static void own_descriptor_is_independent(void **state)
{
	int fd = suitable_file(pmd_size());
	mshare_t r = mshare_from_fd(fd, NULL);

	(void)state;
	check(r);
	check(close(fd) == 0);
	bytes_check_zero(region_attach_all(r), pmd_size());
	region_end(r);
}

static int socket_pair_end(void)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	close(pair[1]);
	return pair[0];
}

static int pipe_end(void)
{
	int pair[2];

	check(pipe2(pair, O_CLOEXEC) == 0);
	close(pair[1]);
	return pair[0];
}

static void refuse_and_close(int fd, int expected)
{
	check(fd >= 0);
	check_refused(!mshare_from_fd(fd, NULL), expected);
	check(close(fd) == 0);
}

static void other_files_are_refused(void **state)
{
	(void)state;
	refuse_and_close(pipe_end(), ENODEV);
	refuse_and_close(socket_pair_end(), ENODEV);
	refuse_and_close(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ENODEV);
	refuse_and_close(open("/dev/null", O_RDWR | O_CLOEXEC), ENODEV);
	refuse_and_close(open("/dev/zero", O_RDWR | O_CLOEXEC), ENODEV);
	refuse_and_close(eventfd(0, EFD_CLOEXEC), ENODEV);
}

/* What mmap(2) says of a regular file is known when it is attached. */
static void file_without_mmap(void **state)
{
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	mshare_t r;

	(void)state;
	if (fd < 0 || !backend_is(MSHARE_BACKEND_PLAIN))
		return;
	r = mshare_from_fd(fd, NULL);
	check(r);
	check_refused(mshare_attach(r, NULL, 0, 1, PROT_READ, 0) == MAP_FAILED, ENODEV);
	region_end(r);
	close(fd);
}

static void not_a_descriptor(void **state)
{
	(void)state;
	check_refused(!mshare_from_fd(-1, NULL), EBADF);
	check_refused(!mshare_from_fd(123456, NULL), EBADF);
	refuse_and_close(open("/dev/shm", O_PATH | O_CLOEXEC), EBADF);
}

static void empty_file(void **state)
{
	(void)state;
	refuse_and_close(memory_file(0), EINVAL);
	refuse_and_close(disk_file(0), EINVAL);
}

static void not_open_for_reading(void **state)
{
	int fd = suitable_file(pmd_size());

	(void)state;
	refuse_and_close(file_reopen(fd, O_WRONLY), EACCES);
	close(fd);
}

static void open_for_reading_only(void **state)
{
	int fd = suitable_file(pmd_size()), reader = file_reopen(fd, O_RDONLY);
	mshare_t r = mshare_from_fd(reader, NULL);

	(void)state;
	check(r);
	check(region_stat(r, 0).flags & MSHARE_STAT_F_READ_ONLY);
	check_refused(mshare_attach(r, NULL, 0, pmd_size(), READ_WRITE, 0) == MAP_FAILED, EACCES);
	check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == -1, EACCES);
	bytes_check_zero(mshare_attach(r, NULL, 0, pmd_size(), PROT_READ, 0), pmd_size());
	region_end(r);
	close(reader);
	close(fd);
}

static void receive_and_fill(void *arg)
{
	const int *socket = arg;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	mshare_t r;
	int fd;

	check(recvmsg(*socket, &message, MSG_CMSG_CLOEXEC) == 1);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	r = mshare_from_fd(fd, NULL);
	check(r);
	close(fd);
	bytes_fill(region_attach_all(r), region_size(r), 9);
}

static void send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 'x';
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	check(sendmsg(socket, &message, 0) == 1);
}

static void over_a_socket(void **state)
{
	int pair[2];
	pid_t receiver;
	mshare_t r;

	(void)state;
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	receiver = child_start(receive_and_fill, &pair[1]);
	r = region_make(pmd_size());
	send_descriptor(pair[0], mshare_fd(r));
	child_wait(receiver);
	bytes_check(region_attach_all(r), pmd_size(), 9);
	region_end(r);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(memory),
		cmocka_unit_test(posix_shared_memory),
		cmocka_unit_test(regular_file),
		cmocka_unit_test(length_between_pages),
		cmocka_unit_test(own_descriptor_is_independent),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(file_without_mmap),
		cmocka_unit_test(not_a_descriptor),
		cmocka_unit_test(empty_file),
		cmocka_unit_test(not_open_for_reading),
		cmocka_unit_test(open_for_reading_only),
		cmocka_unit_test(over_a_socket),
	};

	return RUN_CASES(cases);
}
