/* SPDX-License-Identifier: MIT */
/*
 * The disk is full, fails, or may not be used any further: the old file stays, and so does what the
 * region held, or the sentence says otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "mounts.h"
#include "object.h"

#define REGION (4 * CHUNK)
#define OLD "what was there before"

static mshare_t region;
static unsigned char *bytes;

static int make_region(void **state)
{
	(void)state;
	region = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	album_save(region, "good");
	return 0;
}

static int end_region(void **state)
{
	(void)state;
	region_drop(region, bytes);
	return 0;
}

static void put_old(void)
{
	file_write(album("image"), OLD, sizeof(OLD));
}

static void check_old(void)
{
	size_t size;
	unsigned char *file = file_read(album("image"), &size);

	check(size == sizeof(OLD) && memcmp(file, OLD, size) == 0);
	free(file);
	check_equal(album_count(".mshare-save-"), 0);
}

static void limit_files(rlim_t most)
{
	struct rlimit limit = { most, most };

	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* SIGXFSZ would end the process. */
static void use_under_limit(void *unused)
{
	(void)unused;
	limit_files(3 * CHUNK);
	check_refused(mshare_save(region, AT_FDCWD, album("image"), NULL) == -1, EFBIG);
	check_old();
	if (backend_is(MSHARE_BACKEND_HUGETLB)) {
		album_load(region, "good");
	} else {
		memset(bytes, 7, REGION);
		check_refused(mshare_load(region, AT_FDCWD, album("good"), NULL) == -1, EFBIG);
		check(bytes[0] == 7 && bytes[REGION - 1] == 7);
	}
}

static void file_limit(void **state)
{
	(void)state;
	put_old();
	child_run(use_under_limit, NULL);
}

/* In the child's own view: the album is another file system from here on. */
static void mount_memory(size_t size)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%zu", size);
	check(mount("none", album_dir(), "tmpfs", 0, options) == 0);
}

/* From one with room for nothing to one with room for all: whatever it is that does not fit. */
static void save_into_less(void *unused)
{
	size_t failures = 0;
	int done = -1;

	(void)unused;
	private_mounts();
	for (size_t size = 4 * PAGE; done; size += CHUNK / 2 + PAGE) {
		mount_memory(size);
		put_old();
		done = mshare_save(region, AT_FDCWD, album("image"), NULL);
		if (done) {
			check(errno == ENOSPC);
			check_old();
			failures++;
		}
		check(size < 2 * REGION);
		check(umount(album_dir()) == 0);
	}
	check(failures >= 4);
}

static void memory_full(void **state)
{
	(void)state;
	need_private_mounts("to fill a file system");
	child_run(save_into_less, NULL);
}

/* Programs of the system, which find their way to a loop device by themselves. */
static bool run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A disk of 32 MiB in memory, whose descriptor this is; exits where there can be no such thing. */
static int mount_disk(void)
{
	int fd = memory_file(16 * CHUNK);
	char command[3 * ALBUM_PATH];

	snprintf(command, sizeof(command),
		 "d=/proc/%d/fd/%d; "
		 "/sbin/mke2fs -q -F -t ext4 -O ^has_journal -E nodiscard $d && "
		 "mount -o loop,errors=continue $d %s",
		 (int)getpid(), fd, album_dir());
	if (!run(command))
		_exit(77);
	put_old();
	sync();
	return fd;
}

static void save_to_full_disk(void *unused)
{
	int fd;

	(void)unused;
	private_mounts();
	mount_disk();
	fd = open(album("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	check(fd >= 0 && posix_fallocate(fd, 0, 13 * CHUNK) == 0);
	close(fd);
	check_refused(mshare_save(region, AT_FDCWD, album("image"), NULL) == -1, ENOSPC);
	check_old();
}

/* The memory of the disk is sealed: its loop device fails every write from now on. */
static void save_to_bad_disk(void *unused)
{
	int fd;

	(void)unused;
	private_mounts();
	fd = mount_disk();
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	check_refused(mshare_save(region, AT_FDCWD, album("image"), NULL) == -1, EIO);
	check_old();
}

static void on_a_disk(child_body *body)
{
	int status;
	pid_t pid;

	need_private_mounts("to mount a disk");
	pid = child_start(body, NULL);
	check(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip_case("no loop device, or no mke2fs, to make a disk of");
	check_equal(status, 0);
}

static void disk_full(void **state)
{
	(void)state;
	on_a_disk(save_to_full_disk);
}

static void disk_fails(void **state)
{
	(void)state;
	on_a_disk(save_to_bad_disk);
}

/* A region in a file system with too little memory for what is loaded. */
static void load_without_memory(void *unused)
{
	char good[64];
	int fd, image = open(album("good"), O_RDONLY | O_CLOEXEC);
	struct stat st;
	mshare_t r;

	(void)unused;
	private_mounts();
	mount_memory(3 * CHUNK);
	snprintf(good, sizeof(good), "/proc/self/fd/%d", image);
	fd = open(album("region"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check(fd >= 0 && ftruncate(fd, REGION) == 0);
	r = mshare_from_fd(fd, NULL);
	check(r);
	check_refused(mshare_load(r, AT_FDCWD, good, NULL) == -1, ENOSPC);
	check(!strstr(mshare_errmsg(), "a part of the new contents"));
	check(fstat(fd, &st) == 0);
	check_equal(st.st_blocks, 0);
	check(pwrite(fd, "x", 1, 100) == 1); /* now it has contents */
	check_refused(mshare_load(r, AT_FDCWD, good, NULL) == -1, ENOSPC);
	check(strstr(mshare_errmsg(), "a part of the new contents"));
	region_end(r);
}

static void no_memory_for_the_region(void **state)
{
	(void)state;
	if (!backend_takes_shmem())
		return;
	need_private_mounts("to fill a file system");
	child_run(load_without_memory, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_region, end_region)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(file_limit),
		CASE(memory_full),
		CASE(disk_full),
		CASE(disk_fails),
		CASE(no_memory_for_the_region),
	};

	return RUN_CASES(cases);
}
