/* SPDX-License-Identifier: MIT */
/*
 * Where something is missing or short, the program starts and runs all the same, and the report
 * says what it got and why.
 *
 * usage: test-NAME PATH-OF-MSHARE [BACKEND]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subject.h"
#include "weak-uses.h"

struct shortage {
	const char *name;
	void (*make)(
		void); /* in the process that becomes `mshare run`; exits with 77 if it cannot */
	const char *option; /* of mshare run */
	const char *use; /* what the program does then */
	int status; /* of mshare run; above 256: the signal that ends the program */
	size_t lines; /* of the report about the mapping, with */
	const char *said;
};

static char *command;
static char report[] = "/tmp/mshare-weak-XXXXXX";

static void limit(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit to = { value, value };

	expect(setrlimit(resource, &to) == 0);
}

static void no_helper(void)
{
	expect(setenv("MSHARE_HOST", "/nonexistent/mshare-host", 1) == 0);
}

static void few_descriptors(void)
{
	limit(RLIMIT_NOFILE, 4);
}

static void short_files(void)
{
	limit(RLIMIT_FSIZE, (rlim_t)1 << 20);
}

/* Who has the capability may lock whatever the limit is. */
static void no_locked_memory(void)
{
	if (geteuid() == 0)
		expect(prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) == 0);
	limit(RLIMIT_MEMLOCK, 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	expect(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void without_privileges(void)
{
	uid_t uid = geteuid();
	char map[64];

	if (unshare(CLONE_NEWUSER))
		_exit(77);
	snprintf(map, sizeof(map), "%d %d 1", 1000, (int)uid);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", map);
}

static void small_dev_shm(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev/shm", "tmpfs", 0, "size=64k"))
		_exit(77);
}

static void no_dev_shm(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", MS_RDONLY, "size=64k"))
		_exit(77);
}

/* A group of its own for each case: helpers of the last one may still be in theirs. */
static const struct {
	const char *mount;
	const char *limit;
	const char *swap; /* what is 0 where the limit is not to be met by swapping */
} groups[] = {
	{ "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.swappiness" },
	{ "/sys/fs/cgroup", "memory.max", "memory.swap.max" },
};

static void name_group(size_t i, pid_t pid, char *out, size_t size)
{
	snprintf(out, size, "%s/mshare-test-weak-%d", groups[i].mount, (int)pid);
}

static bool join_group(size_t i, const char *bytes)
{
	char group[64];
	char path[128];

	name_group(i, getpid(), group, sizeof(group));
	snprintf(path, sizeof(path), "%s/%s", group, groups[i].limit);
	if ((mkdir(group, 0700) && errno != EEXIST) || access(path, W_OK))
		return false;
	write_file(path, bytes);
	snprintf(path, sizeof(path), "%s/%s", group, groups[i].swap);
	if (!access(path, W_OK))
		write_file(path, "0");
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	write_file(path, "0");
	return true;
}

static void remove_groups(pid_t pid)
{
	char group[64];

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		name_group(i, pid, group, sizeof(group));
		for (int tries = 0; tries < 1500 && rmdir(group) && errno == EBUSY; tries++)
			usleep(10000);
	}
}

static void join(const char *bytes)
{
	if (!join_group(0, bytes) && !join_group(1, bytes))
		_exit(77);
}

/* Less than the mapping. */
static void little_memory(void)
{
	join("16777216");
}

static void enough_memory(void)
{
	join("134217728");
}

/* As far as /proc/meminfo says. */
static void small_machine(void)
{
	static const char text[] = "MemTotal:  16384 kB\nMemFree:  1 kB\nMemAvailable:  16384 kB\n";
	char path[] = "/tmp/mshare-meminfo-XXXXXX";
	int fd = mkstemp(path);
	bool mounted;

	expect(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	mounted = !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		  !mount(path, "/proc/meminfo", NULL, MS_BIND, NULL);
	unlink(path);
	if (!mounted)
		_exit(77);
}

/* In guests: the kernel module's device, and no right to it. */
static void forbidden_device(void)
{
	struct stat device;

	expect(stat("/dev/mshare", &device) == 0);
	expect(unshare(CLONE_NEWNS) == 0);
	expect(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	expect(mknod("/tmp/mshare-test-device", S_IFCHR | 0600, device.st_rdev) == 0);
	expect(mount("/tmp/mshare-test-device", "/dev/mshare", NULL, MS_BIND, NULL) == 0);
	expect(unlink("/tmp/mshare-test-device") == 0);
	expect(chmod(report, 0666) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
}

static void nothing(void)
{
}

/* Somebody else's pool decides whether the command refuses, or the mapping is. */
#define REFUSED (-1)
#define KILLED(signal) (256 + (signal))
#define CONVERTED 0, 1, "\"event\": \"converted\""
#define LEFT 0, 1, "\"event\": \"left\""
#define UNLOCKED 0, 1, "its pages cannot be locked"
/* What ends a program after its mapping was made ends it with the kernel's mapping as well. */
static const struct shortage shortages[] = {
	{ "nothing is short", nothing, "--", "use", CONVERTED },
	{ "nothing is short, with a name", nothing, "--", "use-name", CONVERTED },
	{ "no helper", no_helper, "--", "use", 0, 1, "mshare-host cannot be started" },
	{ "RLIMIT_AS", nothing, "--", "use-few-addresses", 0, 1, "" },
	{ "RLIMIT_NOFILE", few_descriptors, "--", "use", CONVERTED },
	{ "RLIMIT_FSIZE", short_files, "--", "use", LEFT },
	{ "RLIMIT_MEMLOCK", no_locked_memory, "--", "use-lock", UNLOCKED },
	{ "RLIMIT_MEMLOCK, plain", no_locked_memory, "--backend=plain", "use-lock", 0, 2,
	  "\"event\": \"left\"" },
	{ "no privileges", without_privileges, "--", "use", CONVERTED },
	{ "small /dev/shm", small_dev_shm, "--", "use", CONVERTED },
	{ "small /dev/shm, little of it", small_dev_shm, "--populate", "use-name-little",
	  CONVERTED },
	{ "small /dev/shm, filled", small_dev_shm, "--", "use-name", KILLED(SIGBUS), 1,
	  "\"event\": \"converted\"" },
	{ "small /dev/shm, filled, plain", small_dev_shm, "--backend=plain", "use-name",
	  KILLED(SIGBUS), 1, "\"event\": \"left\"" },
	{ "no /dev", no_dev_shm, "--", "use-no-name", CONVERTED },
	{ "no /dev, plain", no_dev_shm, "--backend=plain", "use-no-name", LEFT },
	{ "little memory", little_memory, "--populate", "use-little", 0, 1,
	  "not populated, its control group has less memory left" },
	{ "enough memory", enough_memory, "--populate", "use", 0, 0, "not populated" },
	{ "little memory, filled", little_memory, "--", "use", KILLED(SIGKILL), 1,
	  "\"event\": \"converted\"" },
	{ "little memory, filled, plain", little_memory, "--backend=plain", "use", KILLED(SIGKILL),
	  1, "\"event\": \"left\"" },
	{ "no shared tables", nothing, "--require-shared-tables", "use", REFUSED, 0,
	  "\"event\": \"converted\"" },
};

/*
 * Tables of regions of this size are not shared, though those of bigger ones would be: starts, and
 * the mapping fails.
 */
static const struct shortage shortages_with_pool[] = {
	{ "nothing is short", nothing, "--", "use", CONVERTED },
	{ "RLIMIT_NOFILE", few_descriptors, "--", "use", CONVERTED },
	{ "RLIMIT_AS", nothing, "--", "use-few-addresses", 0, 1, "" },
	{ "RLIMIT_MEMLOCK", no_locked_memory, "--", "use-lock", UNLOCKED },
	{ "small pool", nothing, "--backend=hugetlb", "use-big", 0, 1,
	  "\"reason\": \"hugetlb: needs " },
	{ "little memory, filled", little_memory, "--", "use", CONVERTED },
	{ "little memory, a part", little_memory, "--", "use-a-part", 0, 1,
	  "Cannot allocate memory" },
	{ "small machine, a part", small_machine, "--", "use-a-part", 0, 1,
	  "Cannot allocate memory" },
	{ "no shared tables", nothing, "--require-shared-tables", "use", 1, 1,
	  "\"error\": \"Operation not supported\"" },
};

static const struct shortage shortages_with_module[] = {
	{ "nothing is short", nothing, "--", "use", CONVERTED },
	{ "tables are shared", nothing, "--require-shared-tables", "use", 0, 1,
	  "\"shared_tables\": true" },
	{ "no module", no_dev_shm, "--", "use", 0, 1, "the mshare module is not loaded" },
	{ "forbidden device", forbidden_device, "--", "use", 0, 1, "no right to open /dev/mshare" },
	{ "no helper", no_helper, "--", "use", 0, 1, "no host process for the region" },
	{ "RLIMIT_NOFILE", few_descriptors, "--", "use", 0, 1, "" },
	{ "RLIMIT_AS", nothing, "--", "use-few-addresses", 0, 1, "" },
	{ "no shared tables", no_dev_shm, "--require-shared-tables", "use", 125, 0, "" },
};

static void become(const struct shortage *s)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *words[] = { command,
			  (char *)"run",
			  (char *)"--json",
			  (char *)"--report",
			  report,
			  (char *)s->option,
			  self,
			  (char *)s->use,
			  NULL };

	expect(n > 0);
	self[n] = '\0';
	limit(RLIMIT_CORE, 0);
	s->make();
	execvp(command, words);
	_exit(99);
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? KILLED(WTERMSIG(status)) : WEXITSTATUS(status);
}

static bool is_expected(const struct shortage *s, int status)
{
	return s->status == REFUSED ? status == 125 || status == 1 : status == s->status;
}

/* What became of the mapping, not what it was when it ended. */
static size_t lines_of(const char *part, const char *said)
{
	return report_lines(part, said) -
	       (said[0] ? 0 : report_lines(part, "\"event\": \"ended\""));
}

static void try(const struct shortage *s)
{
	char part[64];
	pid_t pid;
	int status = 0;

	fflush(NULL);
	expect(truncate(report, 0) == 0);
	pid = fork();
	if (pid == 0)
		become(s);
	expect(waitpid(pid, &status, 0) == pid);
	remove_groups(pid);
	status = status_of(status);
	if (status == 77) {
		printf("%s: not tried, this process may not make it so\n", s->name);
		expect(!getenv("MSHARE_TEST_NO_SKIP"));
		return;
	}
	if (!is_expected(s, status))
		fprintf(stderr, "%s: status %d\n", s->name, status);
	expect(is_expected(s, status));
	expect(setenv("MSHARE_RUN_REPORT", report, 1) == 0);
	snprintf(part, sizeof(part), "\"size\": %zu,", strcmp(s->use, "use-big") ? SIZE : BIG);
	if (lines_of(part, s->said) != s->lines) {
		show_report();
		expect_true(false, s->name, 0, s->said);
	}
	printf("%s: ok\n", s->name);
}

static void try_all(const struct shortage *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		try(&list[i]);
}
#define TRY_ALL(list) try_all(list, sizeof(list) / sizeof((list)[0]))

int main(int argc, char **argv)
{
	int fd;

	if (weak_use(argc, argv))
		return 0;
	if (argc == 3) /* where the environment is not at hand */
		expect(setenv("MSHARE_BACKEND", argv[2], 1) == 0);
	expect(argc == 2 || argc == 3);
	command = access(argv[1], X_OK) == 0 ? argv[1] : (char *)"mshare";
	fd = mkstemp(report);
	expect(fd >= 0 && close(fd) == 0);
	if (backend_is("hugetlb"))
		TRY_ALL(shortages_with_pool);
	else if (backend_is("shim"))
		TRY_ALL(shortages_with_module);
	else
		TRY_ALL(shortages);
	unlink(report);
	return 0;
}
