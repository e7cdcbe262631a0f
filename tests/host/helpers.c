/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "align.h"
#include "host.h"
#include "place.h"

/* Set in the child of in_child(), which must not jump back into the parent's list of tests. */
static bool is_child;

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			give_up(__LINE__, #condition);                                             \
	} while (0)

static void give_up(int line, const char *condition)
{
	if (!is_child)
		fail_msg("%s:%d: not so: %s", __FILE__, line, condition);
	print_error("%s:%d: not so: %s\n", __FILE__, line, condition);
	_exit(1);
}

void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

const char *new_label(void)
{
	static char label[64];
	static int count;

	snprintf(label, sizeof(label), "test-%d-%d", getpid(), count++);
	return label;
}

int new_object(size_t size)
{
	int fd = sys_memfd_create("test-host", MFD_ALLOW_SEALING);

	MUST(fd >= 0);
	MUST(sys_ftruncate(fd, (off_t)size) == 0);
	return fd;
}

void *map_object(int fd, size_t size)
{
	struct place_request place = {
		.len = size, .align = page_sizes()->pmd, .prot = PROT_READ | PROT_WRITE, .fd = fd
	};
	void *addr;

	MUST(place_anywhere(&place, &addr) == 0);
	return addr;
}

static bool is_helper(const char *pid, const char *label)
{
	char path[64], cmdline[TEXT_MAX] = "", wanted[TEXT_MAX];
	int length = snprintf(wanted, sizeof(wanted), "mshare-host%c%s", '\0', label);
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	got = sys_read_file(path, cmdline, sizeof(cmdline));
	return got == length + 1 && memcmp(cmdline, wanted, (size_t)length) == 0;
}

int count_helpers(const char *label, pid_t *pid)
{
	DIR *proc = opendir("/proc");
	int count = 0;

	MUST(proc);
	for (struct dirent *e = readdir(proc); e; e = readdir(proc)) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_helper(e->d_name, label))
			continue;
		count++;
		if (pid)
			*pid = atoi(e->d_name);
	}
	closedir(proc);
	return count;
}

pid_t serving_helper(int fd, const char *label)
{
	pid_t pid = 0;

	MUST(host_ensure(fd, label) == 0);
	MUST(COMES_TRUE(host_present(fd) == 1, PATIENCE));
	MUST(count_helpers(label, &pid) == 1);
	return pid;
}

bool status_text(pid_t pid, const char *key, char *text)
{
	char path[64], buf[8192], wanted[64];
	char *found;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(wanted, sizeof(wanted), "\n%s:\t", key);
	if (sys_read_file(path, buf, sizeof(buf)) < 0)
		return false;
	found = strstr(buf, wanted);
	if (!found)
		return false;
	snprintf(text, TEXT_MAX, "%.*s", (int)strcspn(found + strlen(wanted), "\n"),
		 found + strlen(wanted));
	return true;
}

static size_t smaps_huge(const void *addr)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512], wanted[32];
	unsigned long kib = 0;
	bool ours = false;

	MUST(smaps);
	snprintf(wanted, sizeof(wanted), "%lx-", (unsigned long)addr);
	while (fgets(line, sizeof(line), smaps)) {
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			ours = true;
		if (ours && sscanf(line, "ShmemPmdMapped: %lu kB", &kib) == 1)
			break;
	}
	fclose(smaps);
	return kib * KIB;
}

size_t huge_bytes(const void *addr, size_t size)
{
	for (size_t off = 0; off < size; off += sys_page_size())
		(void)((const volatile char *)addr)[off];
	return smaps_huge(addr);
}

size_t allocated(int fd)
{
	struct stat st;

	MUST(sys_fstat(fd, &st) == 0);
	return (size_t)st.st_blocks * 512;
}

void in_child(int (*run)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		is_child = true;
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
