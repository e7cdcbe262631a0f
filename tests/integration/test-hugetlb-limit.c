/* SPDX-License-Identifier: MIT */
/*
 * A control group may use fewer huge pages than the pool has. The kernel reserves them all the
 * same, and raises SIGBUS at the first touch too many: a new region must not consist of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "child.h"
#include "object.h"

#define REGION (8 * pmd_size())
#define ALLOWED (2 * pmd_size())

static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

/* A group of this test's own, for the children that enter it. */
static struct {
	const char *mount;
	char path[128];
	bool enabled; /* the controller was not, before */
} group;

static bool write_text(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;
	bool good;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return good;
}

static bool has_word(const char *dir, const char *file, const char *word)
{
	char path[256], text[512] = "";
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	stream = fopen(path, "re");
	if (stream && !fgets(text, sizeof(text), stream))
		text[0] = '\0';
	if (stream)
		fclose(stream);
	return strstr(text, word);
}

static int make_group(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]) && !group.mount; i++)
		if (has_word(mounts[i], "cgroup.controllers", "hugetlb"))
			group.mount = mounts[i];
	if (!group.mount)
		return 0;
	group.enabled = !has_word(group.mount, "cgroup.subtree_control", "hugetlb");
	snprintf(group.path, sizeof(group.path), "%s/mshare-test-%d", group.mount, getpid());
	if (!write_text(group.mount, "cgroup.subtree_control", "+hugetlb") ||
	    mkdir(group.path, 0755) != 0)
		group.mount = NULL;
	return 0;
}

/* The helper of a region in transparent huge pages is in the group too, and leaves it later. */
static int remove_group(void **state)
{
	int err = -1;

	(void)state;
	if (!group.mount)
		return 0;
	for (int i = 0; err != 0 && i < 1500; i++) {
		err = rmdir(group.path);
		if (err != 0)
			usleep(10000);
	}
	if (group.enabled)
		write_text(group.mount, "cgroup.subtree_control", "-hugetlb");
	return err;
}

static void need_group(void)
{
	if (!group.mount)
		skip_case("needs root, and the hugetlb controller of control groups, version 2");
}

static void limit(const char *what, size_t bytes)
{
	char file[64], text[32];

	snprintf(file, sizeof(file), "hugetlb.%zuMB.%s", pmd_size() >> 20, what);
	snprintf(text, sizeof(text), "%zu", bytes);
	check(write_text(group.path, file, bytes == SIZE_MAX ? "max" : text));
}

static void enter(void)
{
	check(check_in_child);
	check(write_text(group.path, "cgroup.procs", "0"));
}

/* By whatever backend. */
static mshare_t touched(size_t size)
{
	mshare_t r = mshare_create(NULL, size, NULL);
	void *p = mshare_attach(r, NULL, 0, size, READ_WRITE, 0);

	check(r && p != MAP_FAILED);
	bytes_fill(p, size, 1);
	return r;
}

static void use_less_than_wanted(void *unused)
{
	struct mshare_stat st;

	(void)unused;
	enter();
	check_refused(!mshare_create(NULL, REGION, NULL), EOPNOTSUPP);
	check(strstr(mshare_errmsg(), "group"));
	/* What is allowed may be had, until it is used up. */
	check_equal(region_stat(touched(ALLOWED), 0).backend, MSHARE_BACKEND_HUGETLB);
	check_refused(!mshare_create(NULL, pmd_size(), NULL), EOPNOTSUPP);
	check(unsetenv("MSHARE_BACKEND") == 0);
	st = region_stat(touched(REGION), 0);
	check(st.backend != MSHARE_BACKEND_HUGETLB);
	check(strstr(st.reason, "group"));
}

static void use_none(void *unused)
{
	struct mshare_caps caps = { .size = sizeof(caps) };

	(void)unused;
	enter();
	check(mshare_probe(&caps) == 0);
	check(!(caps.features & MSHARE_CAP_HUGE_PMD));
	check_equal(caps.backend[MSHARE_BACKEND_HUGETLB].error, ENOMEM);
	check(strstr(caps.backend[MSHARE_BACKEND_HUGETLB].reason, "group"));
	check(unsetenv("MSHARE_BACKEND") == 0);
	check(region_stat(touched(pmd_size()), 0).backend != MSHARE_BACKEND_HUGETLB);
}

static void limit_of_use(void **state)
{
	(void)state;
	need_group();
	limit("max", ALLOWED);
	child_run(use_less_than_wanted, NULL);
	limit("max", 0);
	child_run(use_none, NULL);
	limit("max", SIZE_MAX);
}

static void reserve_less_than_wanted(void *unused)
{
	(void)unused;
	enter();
	check_refused(!mshare_create(NULL, REGION, NULL), EOPNOTSUPP);
	check(unsetenv("MSHARE_BACKEND") == 0);
	check(region_stat(touched(REGION), 0).backend != MSHARE_BACKEND_HUGETLB);
}

/* This one the kernel itself keeps when pages are reserved. */
static void limit_of_reservations(void **state)
{
	(void)state;
	need_group();
	limit("rsvd.max", ALLOWED);
	child_run(reserve_less_than_wanted, NULL);
	limit("rsvd.max", SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup_teardown(limit_of_use, make_group, remove_group),
		cmocka_unit_test_setup_teardown(limit_of_reservations, make_group, remove_group),
	};

	return RUN_CASES(cases);
}
