/* SPDX-License-Identifier: MIT */
/* Shared mappings of files: same bytes for everybody, size and locks of the file untouched. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "subject.h"

#define GRID ((size_t)2 << 20)

static int memory_file(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	expect(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static size_t size_of(int fd)
{
	struct stat st;

	expect(fstat(fd, &st) == 0);
	return (size_t)st.st_size;
}

/* Through the mapping and through the descriptor. */
static void same_bytes(int fd, size_t size)
{
	char *p = mmap(NULL, size, READ_WRITE, MAP_SHARED, fd, 0);
	char byte;

	expect(p != MAP_FAILED);
	p[size - 1] = 'x';
	expect(pread(fd, &byte, 1, (off_t)size - 1) == 1 && byte == 'x');
	expect(pwrite(fd, "y", 1, 5) == 1 && p[5] == 'y');
	expect(size_of(fd) == size);
	expect(msync(p, size, MS_SYNC) == 0);
	expect(munmap(p, size) == 0);
	expect(pread(fd, &byte, 1, (off_t)size - 1) == 1 && byte == 'x');
}

/* hugetlb has nothing to say about files that exist in base pages. */
static bool files_convert(void)
{
	return backend_is("thp") || backend_is("shim");
}

static void memfd(void)
{
	int fd = memory_file(SIZE);

	same_bytes(fd, SIZE);
	if (files_convert())
		expect_converted(SIZE);
	close(fd);
}

static void writes_first(void *fd)
{
	char *p = mmap(NULL, SIZE + 4096, READ_WRITE, MAP_SHARED, *(int *)fd, 0);

	expect(p != MAP_FAILED);
	fill(p, SIZE, 3);
}

/* Two processes that map it each for itself. */
static void posix_shared_memory(void)
{
	char name[64];
	char *p;
	int fd;

	snprintf(name, sizeof(name), "/mshare-test-run-%d", (int)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	expect(fd >= 0 && shm_unlink(name) == 0 && ftruncate(fd, SIZE + 4096) == 0);
	in_child(writes_first, &fd);
	if (files_convert())
		expect_converted(SIZE + 4096);
	p = mmap(NULL, SIZE + 4096, PROT_READ, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED);
	expect_filled(p, SIZE, 3);
	expect(munmap(p, SIZE + 4096) == 0);
	close(fd);
}

static void regular_file(void)
{
	char path[] = "./test-run-XXXXXX";
	int fd = mkstemp(path);

	expect(fd >= 0 && unlink(path) == 0 && ftruncate(fd, SIZE + 8192) == 0);
	same_bytes(fd, SIZE + 8192);
	if (backend_is("shim"))
		expect_converted(SIZE + 8192);
	else
		expect_left(SIZE + 8192);
	close(fd);
}

static void read_only(void)
{
	int fd = memory_file(SIZE + 12288);
	char path[64];
	char *p;
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	expect(ro >= 0);
	errno = 0;
	expect(mmap(NULL, SIZE + 12288, READ_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
	expect(errno == EACCES);
	p = mmap(NULL, SIZE + 12288, PROT_READ, MAP_SHARED, ro, 0);
	expect(p != MAP_FAILED);
	expect(pwrite(fd, "z", 1, 7) == 1 && p[7] == 'z');
	expect(munmap(p, SIZE + 12288) == 0);
	close(ro);
	close(fd);
}

static void offsets(void)
{
	int fd = memory_file(SIZE + 3 * GRID);
	char *odd;
	char *even;

	expect(pwrite(fd, "a", 1, (off_t)GRID) == 1 && pwrite(fd, "b", 1, 4096) == 1);
	even = mmap(NULL, SIZE + 16384, READ_WRITE, MAP_SHARED, fd, (off_t)GRID);
	odd = mmap(NULL, SIZE + 20480, READ_WRITE, MAP_SHARED, fd, 4096);
	expect(even != MAP_FAILED && even[0] == 'a');
	expect(odd != MAP_FAILED && odd[0] == 'b');
	expect_left(SIZE + 20480);
	if (files_convert())
		expect_converted(SIZE + 16384);
	expect(munmap(even, SIZE + 16384) == 0 && munmap(odd, SIZE + 20480) == 0);
	close(fd);
}

/* The kernel maps beyond the end; the program grows the file later. */
static void shorter_than_the_mapping(void)
{
	int fd = memory_file(GRID);
	char *p = mmap(NULL, SIZE + 24576, READ_WRITE, MAP_SHARED, fd, 0);

	expect(p != MAP_FAILED);
	expect(size_of(fd) == GRID);
	expect(ftruncate(fd, SIZE + 24576) == 0);
	p[SIZE + 24575] = 'q';
	expect(munmap(p, SIZE + 24576) == 0);
	close(fd);
}

static bool locked_for_others(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	expect(fcntl(fd, F_OFD_GETLK, &lock) == 0);
	return lock.l_type != F_UNLCK;
}

/* Closing any descriptor of a file gives up the process's locks on it: ours must not be closed. */
static void locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	int fd = memory_file(SIZE + 28672);
	char *p;

	expect(fcntl(fd, F_SETLK, &lock) == 0);
	p = mmap(NULL, SIZE + 28672, READ_WRITE, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED);
	if (files_convert())
		expect_converted(SIZE + 28672);
	expect(locked_for_others(fd));
	expect(munmap(p, SIZE + 28672) == 0);
	expect(locked_for_others(fd));
	close(fd);
}

#define ELSEWHERE (SIZE + 32768)

/* A tmpfs for files, of which programs may lock the whole. */
static void lock_elsewhere(void *unused)
{
	int fd;
	char *p;

	(void)unused;
	if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/mnt", "tmpfs", 0, "huge=never")) {
		fprintf(stderr, "no tmpfs can be mounted here\n");
		return;
	}
	fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect(fd >= 0 && ftruncate(fd, ELSEWHERE) == 0);
	p = mmap(NULL, ELSEWHERE, READ_WRITE, MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED);
	if (backend_is("thp"))
		expect_left(ELSEWHERE);
	expect(lockf(fd, F_TLOCK, 0) == 0);
	expect(munmap(p, ELSEWHERE) == 0);
	expect(lockf(fd, F_ULOCK, 0) == 0 && lockf(fd, F_TLOCK, 0) == 0);
	close(fd);
}

int main(int argc, char **argv)
{
	subject_start(argc, argv, (const char *const[]){ NULL });
	memfd();
	posix_shared_memory();
	regular_file();
	read_only();
	offsets();
	shorter_than_the_mapping();
	locks();
	in_child(lock_elsewhere, NULL);
	return 0;
}
