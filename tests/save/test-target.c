/* SPDX-License-Identifier: MIT */
/* The file that is saved: where it may be, what it replaces, and what is left when that fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "album.h"
#include "backend.h"
#include "child.h"
#include "deny.h"
#include "object.h"

#define REGION (2 * CHUNK)
#define UNPRIVILEGED 65534
#define OLD "what was there before"
#define TEMPORARY ".mshare-save-4d4d4d4d4d4d4d4d"

/* In place of the C library's: names that a test, or an attacker, can foresee. */
static bool foreseen;

ssize_t getrandom(void *buf, size_t len, unsigned int flags);
ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	if (!foreseen)
		return syscall(SYS_getrandom, buf, len, flags);
	memset(buf, 'M', len);
	return (ssize_t)len;
}

static mshare_t region;
static unsigned char *bytes;

static int make_region(void **state)
{
	(void)state;
	region = region_with(REGION, SHAPE_DENSE, 1, &bytes);
	file_write(album("image"), OLD, sizeof(OLD));
	return 0;
}

static int end_region(void **state)
{
	(void)state;
	region_drop(region, bytes);
	return 0;
}

static void check_old(const char *path)
{
	size_t size;
	unsigned char *file = file_read(path, &size);

	check(size == sizeof(OLD) && memcmp(file, OLD, size) == 0);
	free(file);
	check_equal(album_count(".mshare-save-"), 0);
}

/* No file may be where other threads write messages to. (A ring of io_uring takes none.) */
static int look_at_standard(void *arg, uint64_t done, uint64_t total)
{
	struct stat st;

	(void)arg;
	(void)done;
	(void)total;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			return 100 + fd;
	return 0;
}

static void save_and_load_as_daemon(void *path)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	attr.progress = look_at_standard;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	check(mshare_save(region, AT_FDCWD, path, &attr) == 0);
	check(mshare_load(region, AT_FDCWD, path, &attr) == 0);
}

static void check_image(const char *path)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	attr.flags = MSHARE_IMAGE_CHECK;
	check(mshare_load(region, AT_FDCWD, path, &attr) == 0);
	check_equal(album_count(".mshare-save-"), 0);
}

static void replaces_a_file(void **state)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;
	mode_t mask = umask(026);
	struct stat before, after;

	(void)state;
	check(stat(album("image"), &before) == 0);
	attr.mode = 0664;
	check(mshare_save(region, AT_FDCWD, album("image"), &attr) == 0);
	umask(mask);
	check(stat(album("image"), &after) == 0);
	check(before.st_ino != after.st_ino);
	check_equal(after.st_mode & 07777, 0640);
	check_image(album("image"));
}

static void standard_descriptors_are_left_free(void **state)
{
	(void)state;
	child_run(save_and_load_as_daemon, (void *)album("image"));
	check_image(album("image"));
}

static void relative_paths(void **state)
{
	int dir = open(album_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	check(dir >= 0);
	check(mshare_save(region, dir, "relative", NULL) == 0);
	check_image(album("relative"));
	check(mshare_load(region, dir, "relative", NULL) == 0);
	check(mshare_save(region, dir, "./../../save/../save/nowhere/x", NULL) == -1);
	close(dir);
	check_refused(mshare_save(region, dir, "relative", NULL) == -1, EBADF);
	check_refused(mshare_load(region, dir, "relative", NULL) == -1, EBADF);
	shape_check(bytes, REGION, SHAPE_DENSE, 1);
}

static void bad_paths(void **state)
{
	char *endless = calloc(1, 70000);
	char name[300] = "";

	(void)state;
	memset(endless, 'x', 69999);
	memset(name, 'x', sizeof(name) - 1);
	check_refused(mshare_save(region, AT_FDCWD, NULL, NULL) == -1, EINVAL);
	check_refused(mshare_save(region, AT_FDCWD, "", NULL) == -1, EINVAL);
	check_refused(mshare_save(region, AT_FDCWD, "/", NULL) == -1, EINVAL);
	check_refused(mshare_save(region, AT_FDCWD, "x/", NULL) == -1, EINVAL);
	check_refused(mshare_save(region, AT_FDCWD, "..", NULL) == -1, EINVAL);
	check_refused(mshare_save(region, AT_FDCWD, endless, NULL) == -1, ENAMETOOLONG);
	check_refused(mshare_save(region, AT_FDCWD, album(name), NULL) == -1, ENAMETOOLONG);
	check_refused(mshare_save(region, AT_FDCWD, album("no/file"), NULL) == -1, ENOENT);
	check_refused(mshare_save(region, AT_FDCWD, album("image/file"), NULL) == -1, ENOTDIR);
	check_refused(mshare_save(region, AT_FDCWD, album_dir(), NULL) == -1, EISDIR);
	check_refused(mshare_save(region, AT_FDCWD, "/dev/null", NULL) == -1, EINVAL);
	check_refused(mshare_load(region, AT_FDCWD, NULL, NULL) == -1, EINVAL);
	check_refused(mshare_load(region, AT_FDCWD, "", NULL) == -1, EINVAL);
	check_refused(mshare_load(region, AT_FDCWD, endless, NULL) == -1, ENAMETOOLONG);
	free(endless);
	check_old(album("image"));
}

static void bad_attrs(void **state)
{
	struct mshare_image_attr attr = MSHARE_IMAGE_ATTR_INIT;

	(void)state;
	attr.flags = MSHARE_IMAGE_CHECK; /* not for saving */
	check_refused(mshare_save(region, AT_FDCWD, album("image"), &attr) == -1, EINVAL);
	attr.flags = 4;
	check_refused(mshare_load(region, AT_FDCWD, album("image"), &attr) == -1, EINVAL);
	attr = (struct mshare_image_attr)MSHARE_IMAGE_ATTR_INIT;
	attr.depth = 65;
	check_refused(mshare_save(region, AT_FDCWD, album("image"), &attr) == -1, EINVAL);
	attr.depth = 0;
	attr.mode = 01000;
	check_refused(mshare_save(region, AT_FDCWD, album("image"), &attr) == -1, EINVAL);
	attr.size = 4097;
	check_refused(mshare_load(region, AT_FDCWD, album("image"), &attr) == -1, E2BIG);
	check_refused(mshare_save(NULL, AT_FDCWD, album("image"), NULL) == -1, EBADF);
	check_refused(mshare_load(NULL, AT_FDCWD, album("image"), NULL) == -1, EBADF);
	check_old(album("image"));
}

/* Links are not written through, neither under the name asked for nor a foreseen temporary one. */
static void links(void **state)
{
	(void)state;
	check(symlink(album("image"), album("link")) == 0);
	check_refused(mshare_save(region, AT_FDCWD, album("link"), NULL) == -1, ELOOP);
	check(unlink(album("link")) == 0);
	check_old(album("image"));
	check(symlink(album("image"), album(TEMPORARY)) == 0);
	foreseen = true;
	check_refused(mshare_save(region, AT_FDCWD, album("new"), NULL) == -1, EEXIST);
	foreseen = false;
	check(access(album("new"), F_OK) == -1);
	check(unlink(album(TEMPORARY)) == 0);
	check_old(album("image"));
}

/* A file system without files that have no name. */
static void save_without_tmpfile(void *unused)
{
	(void)unused;
	deny_call_with(SYS_openat, 2, O_TMPFILE, O_TMPFILE, EOPNOTSUPP);
	check(symlink(album("victim"), album(TEMPORARY)) == 0);
	foreseen = true;
	check_refused(mshare_save(region, AT_FDCWD, album("image"), NULL) == -1, EEXIST);
	foreseen = false;
	check(unlink(album(TEMPORARY)) == 0);
	check(access(album("victim"), F_OK) == -1);
	check_old(album("image"));
	check_refused(mshare_save(region, AT_FDCWD, album_dir(), NULL) == -1, EISDIR);
	album_save(region, "image");
	check_image(album("image"));
}

static void without_tmpfile(void **state)
{
	(void)state;
	album_dir();
	child_run(save_without_tmpfile, NULL);
}

static void save_unprivileged(void *unused)
{
	(void)unused;
	check(setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) == 0);
	check_refused(mshare_save(region, AT_FDCWD, "image", NULL) == -1, EACCES);
	check(mshare_save(region, AT_FDCWD, "/dev/shm/../shm/../../proc/self/x", NULL) == -1);
}

/* What root may do says nothing: as another user. */
static void read_only_directory(void **state)
{
	(void)state;
	need_root("to become another user");
	check(chdir(album_dir()) == 0);
	check(chmod(album_dir(), 0755) == 0);
	child_run(save_unprivileged, NULL);
	check(chdir("/") == 0);
	check_old(album("image"));
}

static void save_blindly(void *unused)
{
	(void)unused;
	check(setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) == 0);
	check(mshare_save(region, AT_FDCWD, "blind", NULL) == 0);
}

/* A directory that may be written and not read: it cannot be opened to be synced. */
static void unreadable_directory(void **state)
{
	(void)state;
	need_root("to become another user");
	check(chdir(album_dir()) == 0);
	check(chmod(album_dir(), 0733) == 0);
	child_run(save_blindly, NULL);
	check(chdir("/") == 0);
	check(chmod(album_dir(), 0755) == 0);
	check_image(album("blind"));
}

/* The file system that O_DIRECT and io_uring are least at home on. */
static void into_memory(void **state)
{
	char path[] = "/dev/shm/mshare-test-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	check(fd >= 0);
	check(mshare_save(region, AT_FDCWD, path, NULL) == 0);
	close(fd);
	memset(bytes, 0, REGION);
	check(mshare_load(region, AT_FDCWD, path, NULL) == 0);
	check(unlink(path) == 0);
	shape_check(bytes, REGION, SHAPE_DENSE, 1);
}

static void refuse_own_file(mshare_t r, int dirfd, const char *path)
{
	struct stat before = region_file(r);
	struct stat after;

	check_refused(mshare_save(r, dirfd, path, NULL) == -1, EINVAL);
	check(strstr(mshare_errmsg(), "own file"));
	check(fstatat(dirfd, path, &after, 0) == 0);
	check(before.st_dev == after.st_dev && before.st_ino == after.st_ino);
}

/* The region would lose its name to an image, which the next one to open it would take for it. */
static void its_own_object(void **state)
{
	char name[NAME_SIZE], link[32];
	char path[ALBUM_PATH + NAME_SIZE] = "";
	mshare_t named = mshare_create(name_make(name, "own"), REGION, NULL);

	(void)state;
	check(named);
	/* made without a name, which /proc goes on telling; the directory is right */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", mshare_fd(named));
	check(readlink(link, path, ALBUM_PATH) > 0);
	snprintf(strrchr(path, '/'), NAME_SIZE, "%s", name);
	refuse_own_file(named, AT_FDCWD, path);
	check(mshare_unlink(name) == 0 && mshare_close(named) == 0);
}

static void its_own_file(void **state)
{
	int dir = open(album_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = open(album("own"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	mshare_t r;

	(void)state;
	check(fd >= 0 && ftruncate(fd, REGION) == 0);
	if (backend_takes_files()) {
		r = mshare_from_fd(fd, NULL);
		check(r);
		refuse_own_file(r, dir, "own");
		check(mshare_close(r) == 0);
	}
	close(fd);
	/* another region may take its place */
	check(mshare_save(region, dir, "own", NULL) == 0);
	close(dir);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_region, end_region)

int main(void)
{
	const struct CMUnitTest cases[] = {
		CASE(replaces_a_file),
		CASE(standard_descriptors_are_left_free),
		CASE(relative_paths),
		CASE(bad_paths),
		CASE(bad_attrs),
		CASE(links),
		CASE(without_tmpfile),
		CASE(read_only_directory),
		CASE(unreadable_directory),
		CASE(into_memory),
		CASE(its_own_object),
		CASE(its_own_file),
	};

	return RUN_CASES(cases);
}
