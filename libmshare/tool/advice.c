/* SPDX-License-Identifier: MIT */
/*
 * Each rule looks whether its command would change something here, and says nothing otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backing.h"
#include "doctor.h"
#include "hugelimit.h"
#include "hugepool.h"
#include "parse.h"
#include "probe.h"

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define URING_DISABLED "/proc/sys/kernel/io_uring_disabled"

/* Enough to try with: 1 GiB, from where on page tables are shared, but not most of the memory. */
#define POOL_BYTES GIB
#define POOL_MEMORY_SHARE 4

static const char *sudo(void)
{
	return geteuid() ? "sudo " : "";
}

static bool read_only(const char *path)
{
	struct statvfs fs;

	return !statvfs(path, &fs) && (fs.f_flag & ST_RDONLY);
}

/* The next free entry; NULL when all are taken. `changed` is the file that the command changes. */
static struct advice *add(struct diagnosis *d, const char *topic, const char *effect,
			  const char *changed)
{
	struct advice *a;

	if (d->advice_count == ADVICE_MOST)
		return NULL;
	a = &d->advice[d->advice_count++];
	*a = (struct advice){ .topic = topic, .effect = effect, .outside = read_only(changed) };
	return a;
}

static uint64_t meminfo(const char *label)
{
	char text[8192];
	uint64_t bytes;

	if (sys_read_file("/proc/meminfo", text, sizeof(text)) < 0 ||
	    parse_proc_kib(text, label, &bytes))
		return 0;
	return bytes;
}

/* Containers that were granted no huge pages. */
static void advise_limit(struct diagnosis *d)
{
	char file[sizeof(d->advice[0].command) - 64];
	uint64_t page_size = d->caps.pmd_size;
	struct advice *a;

	if (hugelimit_left(page_size, file, sizeof(file)) >= page_size)
		return;
	a = add(d, "hugetlb", "lets this control group use huge pages", file);
	if (a)
		snprintf(a->command, sizeof(a->command), "echo max | %stee %s", sudo(), file);
}

static void advise_pool(struct diagnosis *d)
{
	uint64_t page_size = d->caps.pmd_size;
	uint64_t spare = meminfo("MemAvailable") / POOL_MEMORY_SHARE;
	uint64_t more = (spare < POOL_BYTES ? spare : POOL_BYTES) / page_size;
	struct hugepool pool;
	struct advice *a;

	if (d->caps.features & MSHARE_CAP_HUGE_PMD)
		return;
	advise_limit(d);
	if (hugepool_read(page_size, &pool) || pool.available || !more)
		return;
	a = add(d, "hugetlb", "reserves huge pages, whose tables processes share",
		"/sys/kernel/mm/hugepages");
	if (a)
		hugepool_command(page_size, pool.total + more, sudo(), a->command,
				 sizeof(a->command));
}

static bool writable(const char *path)
{
	return !faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS);
}

/* Names of hugetlb regions need a mount; memfds do not. */
static void advise_mount(struct diagnosis *d)
{
	char dir[PATH_MAX];
	struct advice *a;

	if (!(d->caps.features & MSHARE_CAP_HUGE_PMD))
		return;
	for (unsigned int i = 0; !backing_hugetlb_dir(d->caps.pmd_size, i, dir); i++) {
		if (writable(dir))
			return;
	}
	a = add(d, "hugetlb", "lets named regions have huge pages", "/dev");
	if (a)
		snprintf(a->command, sizeof(a->command),
			 "%smkdir -p /dev/hugepages && %smount -t hugetlbfs -o "
			 "mode=1777,pagesize=%lluM hugetlbfs /dev/hugepages",
			 sudo(), sudo(), (unsigned long long)(d->caps.pmd_size / MIB));
}

/* Whether the word in brackets, the setting in force, is this one. */
static bool chosen(const char *path, const char *word)
{
	char text[256];
	char want[32];

	snprintf(want, sizeof(want), "[%s]", word);
	return sys_read_file(path, text, sizeof(text)) > 0 && strstr(text, want);
}

/* Linux 6.12 and later have a setting of their own for each size, which may overrule. */
static void advise_thp(struct diagnosis *d)
{
	const char *path = SHMEM_ENABLED;
	char sized[128];
	struct advice *a;

	if (d->caps.features & MSHARE_CAP_THP_FAULT)
		return;
	snprintf(sized, sizeof(sized),
		 "/sys/kernel/mm/transparent_hugepage/hugepages-%llukB/shmem_enabled",
		 (unsigned long long)(d->caps.pmd_size / KIB));
	if (!chosen(path, "never") && !chosen(path, "deny")) {
		if (!chosen(sized, "never"))
			return;
		path = sized;
	}
	a = add(d, "thp", "gives regions without a name huge pages when first touched", path);
	if (a)
		snprintf(a->command, sizeof(a->command), "echo advise | %stee %s", sudo(), path);
}

/* Whether the last mount on /dev/shm, the one we see, leaves its files without huge pages. */
static bool shm_refuses_huge(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool refuses = false;
	char line[PATH_MAX + 1024];
	struct mntent m;

	if (!mounts)
		return false;
	while (getmntent_r(mounts, &m, line, sizeof(line))) {
		if (!strcmp(m.mnt_dir, BACKING_SHM_DIR) && !strcmp(m.mnt_type, "tmpfs"))
			refuses = !hasmntopt(&m, "huge") || strstr(m.mnt_opts, "huge=never");
	}
	endmntent(mounts);
	return refuses;
}

static void advise_shm(struct diagnosis *d)
{
	struct stat st;
	struct advice *a = NULL;

	if (sys_stat(BACKING_SHM_DIR, &st)) {
		a = add(d, "named regions", "gives named regions a place", "/dev");
		if (a)
			snprintf(a->command, sizeof(a->command),
				 "%smkdir /dev/shm && %smount -t tmpfs -o mode=1777 tmpfs /dev/shm",
				 sudo(), sudo());
	} else if (!sys_stat(SHMEM_ENABLED, &st) && !probe_thp_fault(SHMEM_NAMED) &&
		   shm_refuses_huge()) {
		a = add(d, "thp", "gives named regions huge pages when first touched", "/dev");
		if (a)
			snprintf(a->command, sizeof(a->command),
				 "%smount -o remount,huge=advise /dev/shm", sudo());
	}
}

static void advise_uring(struct diagnosis *d)
{
	char text[16];
	struct advice *a;

	if (d->caps.features & MSHARE_CAP_IO_URING ||
	    sys_read_file(URING_DISABLED, text, sizeof(text)) < 0 || !strtol(text, NULL, 10))
		return;
	a = add(d, "io_uring", "lets flushes keep many ranges in flight", URING_DISABLED);
	if (a)
		snprintf(a->command, sizeof(a->command), "%ssysctl kernel.io_uring_disabled=0",
			 sudo());
}

void advice_find(struct diagnosis *d)
{
	advise_pool(d);
	advise_mount(d);
	advise_thp(d);
	advise_shm(d);
	advise_uring(d);
}
