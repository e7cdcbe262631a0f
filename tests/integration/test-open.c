/* SPDX-License-Identifier: MIT */
/* mshare_open(): regions by name, also those made by shm_open(3), with no more rights than asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"

#define NOBODY 65534

static mshare_t named_region(char *name, const char *tag)
{
	mshare_t r = mshare_create(name_make(name, tag), pmd_size(), NULL);

	check(r);
	return r;
}

static mshare_t opened(const char *name, int oflag)
{
	mshare_t r = mshare_open(name, oflag, NULL);

	check(r);
	return r;
}

static void same_bytes(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = named_region(name, "same"), other = opened(name, O_RDWR);
	char *here = region_attach_all(r), *there = region_attach_all(other);

	(void)state;
	check(here != there);
	bytes_fill(here, pmd_size(), 3);
	bytes_check(there, pmd_size(), 3);
	bytes_fill(there, pmd_size(), 4);
	bytes_check(here, pmd_size(), 4);
	check_equal(region_stat(other, 0).backend, backend_id());
	check(fcntl(mshare_fd(other), F_GETFD) & FD_CLOEXEC);
	check(mshare_unlink(name) == 0);
	region_end(r);
	region_end(other);
}

static void read_only(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = named_region(name, "read"), reader = opened(name, O_RDONLY);
	void *p;

	(void)state;
	bytes_fill(region_attach_all(r), pmd_size(), 5);
	check_equal(fcntl(mshare_fd(reader), F_GETFL) & O_ACCMODE, O_RDONLY);
	check(region_stat(reader, 0).flags & MSHARE_STAT_F_READ_ONLY);
	check(!(region_stat(r, 0).flags & MSHARE_STAT_F_READ_ONLY));
	check_refused(mshare_attach(reader, NULL, 0, pmd_size(), READ_WRITE, 0) == MAP_FAILED,
		      EACCES);
	p = mshare_attach(reader, NULL, 0, pmd_size(), PROT_READ, 0);
	check(p != MAP_FAILED);
	bytes_check(p, pmd_size(), 5);
	check(mprotect(p, pmd_size(), READ_WRITE) == -1 && errno == EACCES);
	check(mshare_unlink(name) == 0);
	region_end(r);
	region_end(reader);
}

/* An object whose size is no multiple of anything but the base page. */
static void made_by_shm_open(void **state)
{
	const size_t size = pmd_size() + 3 * page_size();
	char name[NAME_SIZE];
	int fd = shm_open(name_make(name, "posix"), O_RDWR | O_CREAT | O_EXCL, 0600);
	mshare_t r;
	void *p;

	(void)state;
	check(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	r = mshare_open(name, O_RDWR, NULL);
	if (!backend_takes_shmem()) {
		check(!r && errno == EOPNOTSUPP && mshare_errmsg()[0]);
	} else {
		check(r);
		check_equal(region_size(r), size);
		bytes_fill(region_attach_all(r), size, 6);
		p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		check(p != MAP_FAILED);
		bytes_check(p, size, 6);
		check(munmap(p, size) == 0);
		region_end(r);
	}
	check(shm_unlink(name) == 0);
	close(fd);
}

static void other_flags_are_refused(void **state)
{
	static const int bad[] = { O_WRONLY, O_RDWR | O_CREAT, O_RDWR | O_TRUNC, O_PATH, -1 };
	char name[NAME_SIZE];
	mshare_t r = named_region(name, "flags");

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(!mshare_open(name, bad[i], NULL), EINVAL);
	check_equal(region_size(r), pmd_size());
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void empty_object_is_refused(void **state)
{
	char name[NAME_SIZE];
	int fd = shm_open(name_make(name, "empty"), O_RDWR | O_CREAT | O_EXCL, 0600);

	(void)state;
	check(fd >= 0);
	check_refused(!mshare_open(name, O_RDWR, NULL), EINVAL);
	check(shm_unlink(name) == 0);
	close(fd);
}

static void path_of(const char *name, char *path, size_t size)
{
	check(snprintf(path, size, "/dev/shm%s", name) < (int)size);
}

static void refuse_to_open(const char *name)
{
	check_refused(!mshare_open(name, O_RDWR, NULL), EINVAL);
	check_refused(!mshare_open(name, O_RDONLY, NULL), EINVAL);
	check(strstr(mshare_errmsg(), "not a regular file"));
	check_refused(!mshare_create(name, pmd_size(), NULL), EEXIST);
}

/* Whatever else somebody puts into /dev/shm; opening a fifo must not wait for its other end. */
static void not_a_regular_file(void **state)
{
	char name[NAME_SIZE], path[2 * NAME_SIZE];

	(void)state;
	path_of(name_make(name, "foreign"), path, sizeof(path));
	check(symlink("/dev/zero", path) == 0);
	refuse_to_open(name);
	check(mshare_unlink(name) == 0);
	check(mkfifo(path, 0600) == 0);
	refuse_to_open(name);
	check(mshare_unlink(name) == 0);
	check(mkdir(path, 0700) == 0);
	refuse_to_open(name);
	check_refused(mshare_unlink(name) == -1, EINVAL);
	check(rmdir(path) == 0);
}

static void missing_name(void **state)
{
	char name[NAME_SIZE];

	(void)state;
	check_refused(!mshare_open(name_make(name, "missing"), O_RDWR, NULL), ENOENT);
	check_refused(mshare_unlink(name) == -1, ENOENT);
	check_equal(name_count(name), 0);
}

static void as_nobody(void *name)
{
	check(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	check_refused(!mshare_open(name, O_RDWR, NULL), EACCES);
	check_refused(!mshare_open(name, O_RDONLY, NULL), EACCES);
}

static void without_right(void **state)
{
	char name[NAME_SIZE];
	mshare_t r;

	(void)state;
	need_root("to become somebody else");
	r = named_region(name, "rights");
	child_run(as_nobody, name);
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void reader_of_group(void *name)
{
	mshare_t r;

	check(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	check_refused(!mshare_open(name, O_RDWR, NULL), EACCES);
	r = opened(name, O_RDONLY);
	bytes_check(mshare_attach(r, NULL, 0, pmd_size(), PROT_READ, 0), pmd_size(), 7);
}

static void right_to_read_only(void **state)
{
	struct mshare_attr attr = MSHARE_ATTR_INIT;
	char name[NAME_SIZE];
	mode_t before;
	mshare_t r;

	(void)state;
	need_root("to become somebody else");
	attr.mode = 0644;
	before = umask(0);
	r = mshare_create(name_make(name, "group"), pmd_size(), &attr);
	umask(before);
	check(r);
	bytes_fill(region_attach_all(r), pmd_size(), 7);
	child_run(reader_of_group, name);
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void unlinked_region_lives_on(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = named_region(name, "unlink"), other = opened(name, O_RDWR), next;
	char *p = region_attach_all(r);

	(void)state;
	p[0] = 'a';
	check(mshare_unlink(name) == 0);
	check_refused(!mshare_open(name, O_RDWR, NULL), ENOENT);
	check_equal(*(char *)region_attach_all(other), 'a');
	next = mshare_create(name, pmd_size(), NULL);
	check(next);
	check(region_file(next).st_ino != region_file(r).st_ino);
	check_equal(*(char *)region_attach_all(next), 0);
	check_equal(p[0], 'a');
	check(mshare_unlink(name) == 0);
	region_end(next);
	region_end(other);
	region_end(r);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(same_bytes),
		cmocka_unit_test(read_only),
		cmocka_unit_test(made_by_shm_open),
		cmocka_unit_test(other_flags_are_refused),
		cmocka_unit_test(empty_object_is_refused),
		cmocka_unit_test(not_a_regular_file),
		cmocka_unit_test(missing_name),
		cmocka_unit_test(without_right),
		cmocka_unit_test(right_to_read_only),
		cmocka_unit_test(unlinked_region_lives_on),
	};

	return RUN_CASES(cases);
}
