/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* What /proc/PID/cgroup says. */
struct group {
	char path[PATH_MAX]; /* of version 2, in this process's cgroup namespace; "": none */
	bool memory_is_v1;
};

/* "4:cpu,memory:/path": whether version 1 has the memory controller. */
static bool is_memory_v1(const char *line)
{
	const char *list = strchr(line, ':');

	return list && memmem(list, 1 + strcspn(list + 1, ":"), "memory", strlen("memory"));
}

static void read_line(char *line, struct group *group)
{
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "0::/", 4) == 0)
		snprintf(group->path, sizeof(group->path), "%s", line + 3);
	else if (is_memory_v1(line))
		group->memory_is_v1 = true;
}

/* A process may end while we read of it: then there is no line. */
static int read_group(pid_t pid, struct group *group)
{
	char path[64] = "/proc/self/cgroup";
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	if (!file)
		return sys_result(-1) == -ENOENT ? -ESRCH : (int)sys_result(-1);
	while (getline(&line, &size, file) > 0)
		read_line(line, group);
	free(line);
	fclose(file);
	return group->path[0] || group->memory_is_v1 ? 0 : -ESRCH;
}

/* In place: mountinfo writes what would end a field as "\040". */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned int byte;

		if (sscanf(from, "\\%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/*
 * The part of a group's path below the root of a mount; NULL: it is elsewhere. Groups outside of
 * the cgroup namespace begin with "/..", which in a file system is another place.
 */
static const char *below(const char *root, const char *group)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;
	const char *rest = group + len;

	if (strncmp(group, root, len) || (*rest && *rest != '/'))
		return NULL;
	if (strncmp(rest, "/..", 3) == 0 && (rest[3] == '/' || !rest[3]))
		return NULL;
	return rest;
}

static int open_in(const char *mount, const char *rest)
{
	char path[2 * PATH_MAX + sizeof("/cgroup.procs")];
	cleanup_fd int fd = -1;
	uint64_t type;
	int err;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", mount, rest);
	fd = sys_open(path, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	err = sys_fs_type(fd, &type);
	if (!err && type != CGROUP2_SUPER_MAGIC) /* something else is mounted over it */
		err = -ENOENT;
	return err ? err : keep_fd(&fd);
}

/* -EXDEV: a mount of something else. */
static int try_mount(char *line, const char *group)
{
	char root[PATH_MAX], mount[PATH_MAX];
	const char *rest;

	if (!strstr(line, " - cgroup2 ") ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
		return -EXDEV;
	unescape(root);
	unescape(mount);
	rest = below(root, group);
	return rest ? open_in(mount, rest) : -EXDEV;
}

/* The first mount that has it; else what the first one said that should. */
static int open_group(const char *group)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int result = -EXDEV;

	if (!mounts)
		return (int)sys_result(-1);
	while (result < 0 && getline(&line, &size, mounts) > 0) {
		int fd = try_mount(line, group);

		if (fd >= 0 || result == -EXDEV)
			result = fd;
	}
	free(line);
	fclose(mounts);
	return result;
}

static int group_error(pid_t pid, const struct group *group, int err)
{
	switch (err) {
	case -ESRCH:
		return fail(err, "there is no process %d", pid);
	case -ENOENT:
	case -ENODEV:
		return fail(-ESRCH, "process %d has ended, and its control group %s is gone", pid,
			    group->path);
	case -EXDEV:
		return fail(-EOPNOTSUPP, "the control group %s cannot be seen from here",
			    group->path);
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return fail(-EACCES, "no right to write to cgroup.procs of %s (%s)",
			    group->path[0] ? group->path : "a process", strerrordesc_np(-err));
	case -EMFILE:
	case -ENFILE:
		return fail(err, "no descriptor is left to look for control groups");
	default:
		return fail(-ENOMEM, "no memory to look for control groups (%s)",
			    strerrordesc_np(-err));
	}
}

int cgroup_open_procs(pid_t pid)
{
	struct group group = { 0 };
	int fd;

	fd = read_group(pid, &group);
	if (!fd && group.memory_is_v1)
		return fail(
			-EOPNOTSUPP,
			"memory is charged by control groups of version 1 on this machine, "
			"which are not supported: boot with systemd.unified_cgroup_hierarchy=1");
	if (!fd)
		fd = open_group(group.path);
	return fd < 0 ? group_error(pid, &group, fd) : fd;
}
