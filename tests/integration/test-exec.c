/* SPDX-License-Identifier: MIT */
/* execve(2): nothing of a region goes into the new program, unless it is handed on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"
#include "proc.h"

#define REGION (2 * pmd_size())

/* In the new program: no descriptor and no mapping of that file. */
static void holds_nothing_of(const char *identity)
{
	struct stat file = { 0 }, st;
	char *inode;

	file.st_dev = (dev_t)strtoull(identity, &inode, 10);
	file.st_ino = (ino_t)strtoull(inode + 1, NULL, 10);
	for (int fd = 0; fd < 1024; fd++)
		check(fstat(fd, &st) != 0 || st.st_ino != file.st_ino || st.st_dev != file.st_dev);
	check_equal(proc_file_mappings(file), 0);
}

static void hands_on_nothing_of(mshare_t r)
{
	struct stat file = region_file(r);
	char identity[64];

	check(proc_file_mappings(file) != 0);
	snprintf(identity, sizeof(identity), "%llu:%llu", (unsigned long long)file.st_dev,
		 (unsigned long long)file.st_ino);
	child_wait(child_exec("--nothing", identity, NULL));
}

static void modify(mshare_t r)
{
	char *p;

	check(r);
	check_equal(region_stat(r, 0).backend, backend_id());
	p = region_attach_all(r);
	bytes_check(p, REGION, 1);
	bytes_fill(p, REGION, 2);
}

static void descriptors_are_closed(void **state)
{
	mshare_t r = region_make(REGION), other = mshare_from_fd(mshare_fd(r), NULL);
	char name[NAME_SIZE];
	mshare_t named = mshare_create(name_make(name, "exec"), REGION, NULL);

	(void)state;
	check(other && named);
	region_attach_all(r);
	region_attach_all(named);
	hands_on_nothing_of(r);
	hands_on_nothing_of(named);
	check(mshare_unlink(name) == 0);
	region_end(named);
	region_end(other);
	region_end(r);
}

static void region_survives_by_name(void **state)
{
	char name[NAME_SIZE];
	mshare_t r = mshare_create(name_make(name, "exec"), REGION, NULL);
	char *p;

	(void)state;
	check(r);
	p = region_attach_all(r);
	bytes_fill(p, REGION, 1);
	child_wait(child_exec("--name", name, NULL));
	bytes_check(p, REGION, 2);
	check(mshare_unlink(name) == 0);
	region_end(r);
}

static void region_survives_by_descriptor(void **state)
{
	mshare_t r = region_make(REGION);
	char *p = region_attach_all(r), number[16];
	int fd = dup(mshare_fd(r));

	(void)state;
	check(fd >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC));
	snprintf(number, sizeof(number), "%d", fd);
	bytes_fill(p, REGION, 1);
	child_wait(child_exec("--descriptor", number, NULL));
	bytes_check(p, REGION, 2);
	close(fd);
	region_end(r);
}

/* A handle is a ticket of one program: its value means nothing in the next. */
static void old_handle(const char *text)
{
	mshare_t r = (mshare_t)(uintptr_t)strtoull(text, NULL, 16); /* NOLINT */
	struct mshare_stat st = { .size = sizeof(st) };

	check_refused(mshare_fd(r) == -1, EBADF);
	check_refused(mshare_stat(r, &st) == -1, EBADF);
	check_refused(mshare_close(r) == -1, EBADF);
}

static void handles_are_gone(void **state)
{
	mshare_t r = region_make(REGION);
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%llx", (unsigned long long)(uintptr_t)r);
	child_wait(child_exec("--handle", text, NULL));
	region_end(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(descriptors_are_closed),
		cmocka_unit_test(region_survives_by_name),
		cmocka_unit_test(region_survives_by_descriptor),
		cmocka_unit_test(handles_are_gone),
	};
	char **args;

	if ((args = child_mode(argc, argv, "--nothing")))
		return holds_nothing_of(args[0]), 0;
	if ((args = child_mode(argc, argv, "--name")))
		return modify(mshare_open(args[0], O_RDWR, NULL)), 0;
	if ((args = child_mode(argc, argv, "--descriptor")))
		return modify(mshare_from_fd(atoi(args[0]), NULL)), 0;
	if ((args = child_mode(argc, argv, "--handle")))
		return old_handle(args[0]), 0;
	return RUN_CASES(cases);
}
