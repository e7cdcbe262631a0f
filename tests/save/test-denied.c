/* SPDX-License-Identifier: MIT */
/*
 * Each thing that makes it fast is missing in turn: the same file, the same region, and it is told.
 * In children, since what is denied stays so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"
#include "proc.h"

#define REGION (5 * CHUNK)
#define UNPRIVILEGED 65534

static mshare_t region, other;
static unsigned char *bytes, *other_bytes;

static int make_regions(void **state)
{
	(void)state;
	region = region_with(REGION, SHAPE_SPARSE, 1, &bytes);
	other = region_with(REGION, SHAPE_DENSE, 2, &other_bytes);
	return 0;
}

static int end_regions(void **state)
{
	(void)state;
	region_drop(region, bytes);
	region_drop(other, other_bytes);
	return 0;
}

static void there_and_back(void)
{
	album_save(region, "image");
	album_load(other, "image");
	shape_check(other_bytes, region_size(other), SHAPE_SPARSE, 1);
}

static bool told(uint32_t flag)
{
	bool saved = region_stat(region, 0).flags & flag;

	check_equal(saved, !!(region_stat(other, 0).flags & flag));
	return saved;
}

static bool has_io_uring(void)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	check(mshare_probe(&caps) == 0);
	return caps.features & MSHARE_CAP_IO_URING;
}

static void nothing_denied(void *unused)
{
	(void)unused;
	there_and_back();
	check_equal(told(MSHARE_STAT_F_IO_URING), has_io_uring());
	check(told(MSHARE_STAT_F_DIRECT)); /* the build is on a disk */
	if (geteuid() == 0) /* others may be limited */
		check_equal(told(MSHARE_STAT_F_REGISTERED), has_io_uring());
}

static void no_ring(void *unused)
{
	(void)unused;
	deny_io_uring();
	there_and_back();
	check(!told(MSHARE_STAT_F_IO_URING));
	check(told(MSHARE_STAT_F_DIRECT));
}

static void no_use_of_a_ring(void *unused)
{
	(void)unused;
	deny_call(SYS_io_uring_enter, EPERM);
	there_and_back();
	check(!told(MSHARE_STAT_F_IO_URING));
}

static void no_registered_buffers(void *unused)
{
	(void)unused;
	deny_call(SYS_io_uring_register, ENOMEM);
	there_and_back();
	check(!told(MSHARE_STAT_F_REGISTERED));
	check_equal(told(MSHARE_STAT_F_IO_URING), has_io_uring());
}

static void there_and_back_as(uid_t uid, const struct mshare_image_attr *attr)
{
	check(chmod(album_dir(), 0777) == 0 && chdir(album_dir()) == 0);
	check(setresuid(uid, uid, uid) == 0);
	check(mshare_save(region, AT_FDCWD, "image", attr) == 0);
	check(mshare_load(other, AT_FDCWD, "image", attr) == 0);
	check(unlink("image") == 0);
	shape_check(other_bytes, region_size(other), SHAPE_SPARSE, 1);
}

static void no_locked_memory(void *unused)
{
	const struct rlimit none = { 0, 0 };

	(void)unused;
	check(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	if (geteuid() == 0)
		there_and_back_as(UNPRIVILEGED, NULL);
	else
		there_and_back();
}

static int note_pinned(void *arg, uint64_t done, uint64_t total)
{
	uint64_t pinned = proc_status_bytes("VmPin");
	uint64_t *least = arg;

	/* the first call of a save is before it has buffers */
	if (done && pinned < *least)
		*least = pinned;
	return done > total;
}

/*
 * Room for some of 8 buffers: the default of the kernel. It counts what all processes of a user
 * have, hence one that no other test is.
 */
static void little_locked_memory(void *unused)
{
	const struct rlimit little = { 4 * CHUNK, 4 * CHUNK };
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
	uint64_t least = UINT64_MAX;

	(void)unused;
	if (geteuid() != 0)
		return;
	check(setrlimit(RLIMIT_MEMLOCK, &little) == 0);
	attr.progress = note_pinned;
	attr.arg = &least;
	there_and_back_as((uid_t)(100000 + getpid()), &attr);
	check_equal(told(MSHARE_STAT_F_IO_URING), has_io_uring());
	check(!told(MSHARE_STAT_F_REGISTERED));
	check(!has_io_uring() || (least >= CHUNK && least <= little.rlim_cur));
}

static void no_direct_io(void *unused)
{
	(void)unused;
	deny_call_with(SYS_fcntl, 1, UINT32_MAX, F_SETFL, EINVAL);
	there_and_back();
	check(!told(MSHARE_STAT_F_DIRECT));
}

static void no_space_in_advance(void *unused)
{
	(void)unused;
	deny_call_with(SYS_fallocate, 1, UINT32_MAX, 0, EOPNOTSUPP);
	there_and_back();
}

/* As on a tmpfs whose allocations take longer than the signals of a timer are apart. */
static void interrupted_all_the_time(void *unused)
{
	(void)unused;
	deny_call_with(SYS_fallocate, 1, UINT32_MAX, 0, EINTR);
	there_and_back();
}

static void no_holes(void *unused)
{
	(void)unused;
	deny_call_with(SYS_fallocate, 1, 2, 2, EOPNOTSUPP); /* FALLOC_FL_PUNCH_HOLE */
	there_and_back();
	/* and emptied again without: by zeros */
	check(ftruncate(mshare_fd(other), 0) == 0);
	check(ftruncate(mshare_fd(other), REGION) == 0);
	check(truncate(album("image"), (off_t)file_size(album("image")) - 1) == 0);
	check_refused(mshare_load(other, AT_FDCWD, album("image"), NULL) == -1, EBADMSG);
	bytes_check_zero(other_bytes, REGION);
}

static void no_sight_of_holes(void *unused)
{
	(void)unused;
	deny_call(SYS_lseek, EINVAL);
	there_and_back();
}

static void no_stores_by_the_kernel(void *unused)
{
	(void)unused;
	deny_call(SYS_process_vm_writev, EPERM);
	there_and_back();
}

static void denied(void **state)
{
	static child_body *const bodies[] = {
		nothing_denied,
		no_ring,
		no_use_of_a_ring,
		no_registered_buffers,
		no_locked_memory,
		little_locked_memory,
		no_direct_io,
		no_space_in_advance,
		interrupted_all_the_time,
		no_holes,
		no_sight_of_holes,
		no_stores_by_the_kernel,
	};

	(void)state;
	album_dir();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		shape_fill(other_bytes, REGION, SHAPE_DENSE, 2);
		child_run(bodies[i], NULL);
	}
}

/* Descriptors, memory, address space: refused, or done. */
static void under_limit(int resource, rlim_t most, int expected)
{
	const struct rlimit limit = { most, most };
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
	size_t before;

	there_and_back();
	shape_fill(other_bytes, REGION, SHAPE_DENSE, 2);
	before = file_size(album("image"));
	attr.depth = 64;
	check(setrlimit(resource, &limit) == 0);
	check_refused(mshare_save(region, AT_FDCWD, album("image"), &attr) == -1, expected);
	check_refused(mshare_load(other, AT_FDCWD, album("image"), &attr) == -1, expected);
	check_equal(file_size(album("image")), before);
	shape_check(other_bytes, REGION, SHAPE_DENSE, 2);
}

static void no_descriptors(void *unused)
{
	(void)unused;
	under_limit(RLIMIT_NOFILE, 0, EMFILE);
}

static void no_address_space(void *unused)
{
	(void)unused;
	/* a sanitizer wants some of its own; the buffers have 128 MiB */
	under_limit(RLIMIT_AS, proc_status_bytes("VmSize") + 16 * CHUNK, ENOMEM);
}

static void limits(void **state)
{
	(void)state;
	album_dir();
	child_run(no_descriptors, NULL);
	child_run(no_address_space, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_regions, end_regions)

int main(void)
{
	const struct CMUnitTest cases[] = { CASE(denied), CASE(limits) };

	return RUN_CASES(cases);
}
