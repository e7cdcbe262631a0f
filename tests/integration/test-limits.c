/* SPDX-License-Identifier: MIT */
/*
 * Limits reached: descriptors, address space, mappings, /dev/shm. Each is a clean failure, and all
 * works again when the limit is gone. Every case runs in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "mounts.h"
#include "object.h"
#include "proc.h"

#define REGION (4 * pmd_size())
#define FEW_DESCRIPTORS 40
#define SMALL_SHM "size=4m"
#define SMALL_SHM_BYTES ((size_t)4 << 20)

/* Opens descriptors until there is none left but `spare`. */
static void use_up_descriptors(int spare)
{
	struct rlimit limit = { FEW_DESCRIPTORS, FEW_DESCRIPTORS };
	int last = -1;

	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int fd = dup(0); fd >= 0; fd = dup(0))
		last = fd;
	check(errno == EMFILE && last - spare > 2);
	for (int i = 0; i < spare; i++)
		check(close(last - i) == 0);
}

/*
 * Where the kernel module is, it has to be asked for parts that are of other objects: that takes
 * one for a moment, but for hugetlb, which has no parts.
 */
static void needs_no_descriptor(mshare_t r)
{
	void *p;

	if (access("/dev/mshare", F_OK) == 0 && backend_id() != MSHARE_BACKEND_HUGETLB) {
		check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED,
			      EMFILE);
		check_refused(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == -1, EMFILE);
		return;
	}
	p = mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_POPULATE);
	check(p != MAP_FAILED);
	bytes_fill(p, REGION, 1);
	check(mshare_flush(r, 0, 0, MSHARE_FLUSH_DISCARD) == 0);
	check(mshare_detach(r, p, REGION) == 0);
}

static void no_descriptor(void *arg)
{
	mshare_t r = region_make(REGION);
	struct mshare_caps caps = { .size = sizeof(caps) };
	char name[NAME_SIZE];

	(void)arg;
	use_up_descriptors(0);
	check_refused(!mshare_create(NULL, REGION, NULL), EMFILE);
	check_refused(!mshare_create(name_make(name, "nofile"), REGION, NULL), EMFILE);
	check_refused(!mshare_from_fd(mshare_fd(r), NULL), EMFILE);
	check_equal(name_count(name), 0);
	/* Whether the first or a later probe: an answer, or a clean refusal. */
	check(mshare_probe(&caps) == 0 || errno == EMFILE);
	needs_no_descriptor(r);
	region_end(r); /* gives one back */
	r = region_make(REGION);
	region_end(r);
}

/* The library's descriptors begin at 3; the caller's own stay open under a lower limit. */
static void no_descriptor_above_the_standard_ones(void *arg)
{
	const int fd = *(int *)arg;

	for (rlim_t most = 0; most <= 3; most++) {
		check(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ most, FEW_DESCRIPTORS }) == 0);
		check_refused(!mshare_from_fd(fd, NULL), EMFILE);
	}
}

static void no_descriptor_from_the_start(void *arg)
{
	struct mshare_caps caps = { .size = sizeof(caps) };
	int saved;

	(void)arg;
	use_up_descriptors(0);
	check_refused(!mshare_create(NULL, REGION, NULL), EMFILE);
	check_refused(mshare_probe(&caps) == -1, EMFILE);
	for (saved = 5; saved < FEW_DESCRIPTORS; saved++)
		close(saved);
	/* The failure was about descriptors: nothing wrong has been remembered. */
	check(mshare_probe(&caps) == 0);
	check_equal(caps.backend[backend_id()].error, 0);
	region_end(region_make(REGION));
}

static void descriptors(void **state)
{
	int fd = memory_file(REGION);

	(void)state;
	child_run(no_descriptor, NULL);
	child_run(no_descriptor_from_the_start, NULL);
	child_run(no_descriptor_above_the_standard_ones, &fd);
	close(fd);
}

static void no_address_space(void *arg)
{
	mshare_t r = region_make(REGION);
	struct rlimit limit, before;
	struct proc_footprint footprint;

	(void)arg;
	check(mshare_detach(r, region_attach_all(r), REGION) == 0);
	check(getrlimit(RLIMIT_AS, &before) == 0);
	footprint = proc_footprint();
	limit = before;
	limit.rlim_cur = proc_status_bytes("VmSize") + REGION / 2;
	check(setrlimit(RLIMIT_AS, &limit) == 0);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED, ENOMEM);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, MSHARE_SAME_ADDR) == MAP_FAILED,
		      ENOMEM);
	check(setrlimit(RLIMIT_AS, &before) == 0);
	proc_check_footprint(&footprint, "attaching without address space");
	check_equal(region_stat(r, 0).attachments, 0);
	bytes_fill(region_attach_all(r), REGION, 2);
	region_end(r);
}

static void address_space(void **state)
{
	(void)state;
	child_run(no_address_space, NULL);
}

/* Every second page of one mapping gets another protection until the kernel takes no more. */
static char *use_up_mappings(size_t *len)
{
	char *p;

	*len = ((size_t)1 << 17) * page_size();
	p = mmap(NULL, *len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(p != MAP_FAILED);
	for (size_t i = 0; i < *len; i += 2 * page_size())
		if (mprotect(p + i, page_size(), PROT_READ) != 0)
			break;
	while (mmap(NULL, page_size(), PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
	check_equal(errno, ENOMEM);
	return p;
}

static void no_mapping(void *arg)
{
	mshare_t r = region_make(REGION);
	size_t len;
	char *filler;

	(void)arg;
	check(mshare_detach(r, region_attach_all(r), REGION) == 0);
	filler = use_up_mappings(&len);
	check_refused(mshare_attach(r, NULL, 0, REGION, READ_WRITE, 0) == MAP_FAILED, ENOMEM);
	check(munmap(filler, len) == 0);
	check_equal(proc_file_mappings(region_file(r)), 0);
	bytes_fill(region_attach_all(r), REGION, 3);
	region_end(r);
}

static void mappings(void **state)
{
	char limit[32] = "";
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	(void)state;
	check(file && fgets(limit, sizeof(limit), file));
	fclose(file);
	if (atol(limit) > 100000)
		skip_case("vm.max_map_count is too large to use up all mappings");
	child_run(no_mapping, NULL);
}

/* SIGXFSZ, which the kernel sends for a file beyond the limit, would end this process. */
static void small_files_only(void *arg)
{
	const struct rlimit limit = { pmd_size() / 2, RLIM_INFINITY };
	struct mshare_caps caps = { .size = sizeof(caps) };
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	mshare_t r = mshare_from_fd(*(int *)arg, NULL);
	char name[NAME_SIZE];

	check(r);
	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	check(mshare_probe(&caps) == 0);
	if (backend_is(MSHARE_BACKEND_HUGETLB))
		check(caps.backend[MSHARE_BACKEND_HUGETLB].error == EFBIG);
	check_refused(!mshare_create(NULL, REGION, NULL), EOVERFLOW);
	check_refused(!mshare_create(name_make(name, "fsize"), REGION, NULL), EOVERFLOW);
	check_equal(name_count(name), 0);
	bytes_fill(region_attach_all(r), REGION, 7); /* what others have made may be used */
	region_end(r);
	attr.align = MSHARE_ALIGN_BASE;
	if (backend_is(MSHARE_BACKEND_PLAIN))
		region_end(region_make_with(page_size(), &attr));
}

static void file_size(void **state)
{
	mshare_t r = region_make(REGION);
	int fd = mshare_fd(r);

	(void)state;
	child_run(small_files_only, &fd);
	region_end(r);
}

/*
 * mshare-host holds the memory of a region that nobody else knows any more until it has seen that
 * the last user has gone.
 */
static void wait_until_free(const char *path, uint64_t bytes)
{
	struct statvfs fs = { 0 };

	for (int i = 0; i < 1000; i++) {
		check(statvfs(path, &fs) == 0);
		if ((uint64_t)fs.f_bfree * fs.f_frsize >= bytes)
			return;
		usleep(10000);
	}
	check(!"the memory of the last region has been given back");
}

static void small_shm(void *arg)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	char name[NAME_SIZE];
	mshare_t r;

	(void)arg;
	private_mounts();
	check(mount("none", "/dev/shm", "tmpfs", 0, SMALL_SHM) == 0);
	check_refused(!mshare_create(name_make(name, "small"), 4 * SMALL_SHM_BYTES, NULL), ENOSPC);
	check_equal(name_count(name), 0);
	attr.flags = MSHARE_NORESERVE;
	r = mshare_create(name, 4 * SMALL_SHM_BYTES, &attr);
	check(r);
	/* What does not fit is an error of populating, not a signal later. */
	check_refused(mshare_attach(r, NULL, 0, 4 * SMALL_SHM_BYTES, READ_WRITE, MSHARE_POPULATE) ==
			      MAP_FAILED,
		      ENOMEM);
	check_equal(proc_file_mappings(region_file(r)), 0);
	check(mshare_unlink(name) == 0);
	region_end(r);
	wait_until_free("/dev/shm", SMALL_SHM_BYTES);
	r = mshare_create(name, SMALL_SHM_BYTES / 2, NULL);
	check(r);
	bytes_fill(region_attach_all(r), region_size(r), 4);
	check(mshare_unlink(name) == 0);
}

static void full_shm(void *arg)
{
	char name[NAME_SIZE];
	mshare_t r;
	int fd;

	(void)arg;
	private_mounts();
	check(mount("none", "/dev/shm", "tmpfs", 0, SMALL_SHM) == 0);
	fd = open("/dev/shm/filler", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	check(fd >= 0 && posix_fallocate(fd, 0, (off_t)SMALL_SHM_BYTES) == 0);
	check_refused(!mshare_create(name_make(name, "full"), page_size(), NULL), ENOSPC);
	check_equal(name_count(name), 0);
	r = region_make(REGION); /* memory without a name has no such limit */
	bytes_fill(region_attach_all(r), REGION, 5);
	check(unlink("/dev/shm/filler") == 0 && close(fd) == 0);
	r = mshare_create(name, SMALL_SHM_BYTES / 2, NULL);
	check(r && mshare_unlink(name) == 0);
}

static void no_shm(void *arg)
{
	char name[NAME_SIZE];
	struct mshare_caps caps = { .size = sizeof(caps) };
	struct stat device;
	bool shim = backend_is(MSHARE_BACKEND_SHIM) && stat("/dev/mshare", &device) == 0;

	(void)arg;
	private_mounts();
	check(mount("none", "/dev", "tmpfs", 0, SMALL_SHM) == 0);
	/* What the helper needs to start. */
	check(!shim || mknod("/dev/mshare", S_IFCHR | 0666, device.st_rdev) == 0);
	check(!shim || mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	check_refused(!mshare_create(name_make(name, "absent"), REGION, NULL), ENOENT);
	check_refused(!mshare_open(name, O_RDWR, NULL), ENOENT);
	check(mshare_probe(&caps) == 0);
	check(!(caps.features & MSHARE_CAP_SHM));
	bytes_fill(region_attach_all(region_make(REGION)), REGION, 6);
}

static void shm_in_a_private_mount(child_body *body)
{
	need_private_mounts("to mount another /dev/shm");
	if (backend_takes_shmem()) /* names of hugetlb regions live in hugetlbfs */
		child_run(body, NULL);
}

static void shm_too_small(void **state)
{
	(void)state;
	shm_in_a_private_mount(small_shm);
}

static void shm_full(void **state)
{
	(void)state;
	shm_in_a_private_mount(full_shm);
}

static void shm_absent(void **state)
{
	(void)state;
	shm_in_a_private_mount(no_shm);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(descriptors),	 cmocka_unit_test(address_space),
		cmocka_unit_test(mappings),	 cmocka_unit_test(file_size),
		cmocka_unit_test(shm_too_small), cmocka_unit_test(shm_full),
		cmocka_unit_test(shm_absent),
	};

	return RUN_CASES(cases);
}
