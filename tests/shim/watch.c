/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "view.h"

int watch_open_again(void)
{
	int fd = open("/dev/second-notifier", O_RDWR | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

int watch_open(void)
{
	check(system("modprobe second-notifier") == 0);
	return watch_open_again();
}

void watch_close(int watch)
{
	close(watch);
	check(system("rmmod second_notifier") == 0);
}

struct watch_counts watch_read(int watch)
{
	struct watch_counts counts;

	check(read(watch, &counts, sizeof(counts)) == sizeof(counts));
	return counts;
}

void watch_take(int watch, const char *at)
{
	uint64_t address = (uintptr_t)at;
	ssize_t n;

	do
		n = write(watch, &address, sizeof(address));
	while (n < 0 && errno == EAGAIN);
	check_equal(n, sizeof(address));
	check(watch_read(watch).mapped && watch_read(watch).interval_mapped);
}

static void set_parameter(const char *name, unsigned int value)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "/sys/module/second_notifier/parameters/%s", name);
	snprintf(text, sizeof(text), "%u", value);
	check_equal(write_text(path, text), 0);
}

void watch_delay(unsigned int interval_ms, unsigned int start_ms)
{
	set_parameter("delay_ms", interval_ms);
	set_parameter("start_delay_ms", start_ms);
}
