/* SPDX-License-Identifier: MIT */
/*
 * The module cannot be unloaded while anything of it is used, and leaves nothing when it is:
 * loaded, used and unloaded again and again. `test-shim-unload [TIMES]`. Ends with the module
 * loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (8 * MIB)

static int times = 10;

static int unload(void)
{
	return syscall(SYS_delete_module, "mshare", O_NONBLOCK) ? -errno : 0;
}

static void load(void)
{
	struct utsname name;
	char path[256];
	int fd;

	check(uname(&name) == 0);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/mshare.ko", name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	check(syscall(SYS_finit_module, fd, "", 0) == 0);
	close(fd);
	check(COMES_TRUE(access("/dev/mshare", F_OK) == 0));
}

static bool all_is_gone(void)
{
	return access("/dev/mshare", F_OK) && access("/sys/module/mshare", F_OK) &&
	       access("/sys/kernel/debug/mshare", F_OK) &&
	       access("/sys/kernel/tracing/events/mshare", F_OK);
}

static bool is_busy(void)
{
	return unload() == -EAGAIN;
}

static void unload_unused(void)
{
	/* What was used last may still be on its way out. */
	check(COMES_TRUE(unload() == 0));
	check(all_is_gone());
}

static void test_open_device(void **state)
{
	int device = device_open();

	(void)state;
	check(is_busy());
	close(device);
	unload_unused();
	load();
}

static void test_view(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);

	(void)state;
	check(is_busy());
	host_kill(&host);
	unload_unused();
	load();
	close(fd);
}

/* A descriptor of a view whose host has died. */
static void test_attach_descriptor(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	int view = view_attach(fd, READ_WRITE);

	(void)state;
	check(view >= 0);
	host_kill(&host);
	check(is_busy());
	close(view);
	unload_unused();
	load();
	close(fd);
}

/* Nothing but the mapping itself, and the tables of a process that is dead. */
static void test_attachment(void **state)
{
	struct scene s = scene_make(SIZE);

	(void)state;
	host_kill(&s.host);
	check(is_busy());
	pages_check(s.at, SIZE, SCENE_SALT);
	check(munmap(s.at, SIZE) == 0);
	unload_unused();
	load();
	close(s.fd);
}

static void look(void *arg)
{
	const struct scene *s = arg;

	pages_check(s->at, SIZE, SCENE_SALT);
}

static void use(void)
{
	struct scene s = scene_make(SIZE);

	child_run(look, &s);
	check(is_busy());
	scene_end(&s);
}

static uint64_t table_pages(void)
{
	return counter("/proc/vmstat", "nr_page_table_pages");
}

/* Others come and go with theirs. What a use left behind would be more, over ten times. */
#define OTHERS 32

static void test_again_and_again(void **state)
{
	uint64_t before;

	(void)state;
	use();
	before = table_pages();
	for (int i = 0; i < times; i++) {
		unload_unused();
		check(unload() == -ENOENT);
		load();
		use();
	}
	check(COMES_TRUE(table_pages() <= before + OTHERS));
	print_message("%d times; %llu page tables before, %llu after\n", times,
		      (unsigned long long)before, (unsigned long long)table_pages());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_open_device),	  cmocka_unit_test(test_view),
		cmocka_unit_test(test_attach_descriptor), cmocka_unit_test(test_attachment),
		cmocka_unit_test(test_again_and_again),
	};

	if (argc > 1)
		times = atoi(argv[1]);
	return SHIM_MAIN(cases);
}
