/* SPDX-License-Identifier: MIT */
/* The tracepoints: what is linked, invalidated, flushed and unlinked is told, with its file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scene.h"

#define SIZE (4 * SLOT)
#define TRACING "/sys/kernel/tracing/"

static void trace(bool on)
{
	check_equal(write_text(TRACING "trace", "\n"), 0); /* empties it */
	check_equal(write_text(TRACING "events/mshare/enable", on ? "1" : "0"), 0);
}

/* The first line of an event with the text; "" if there is none. */
static void find_event(const char *event, const char *text, char *line, size_t size)
{
	FILE *log = fopen(TRACING "trace", "re");
	char name[64];
	bool found = false;

	check(log);
	snprintf(name, sizeof(name), " %s: ", event);
	while (!found && fgets(line, (int)size, log))
		found = line[0] != '#' && strstr(line, name) && strstr(line, text);
	if (!found)
		line[0] = '\0';
	fclose(log);
}

static uint64_t value_of(const char *line, const char *field)
{
	const char *at = strstr(line, field);

	check(at);
	return strtoull(at + strlen(field), NULL, 0);
}

static uint64_t event_value(const char *event, const char *text, const char *field)
{
	char line[512];

	find_event(event, text, line, sizeof(line));
	if (!line[0])
		fail_msg("no line of %s with \"%s\"", event, text);
	return value_of(line, field);
}

static void name_of(int fd, char *name, size_t size)
{
	struct stat st;

	check(fstat(fd, &st) == 0);
	snprintf(name, size, "dev=%u:%u ino=%lu ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long)st.st_ino);
}

static void test_events(void **state)
{
	struct scene s = scene_make(SIZE);
	char file[96], *at;

	(void)state;
	name_of(s.fd, file, sizeof(file));
	trace(true);
	at = attach(s.fd, SIZE, READ_WRITE);
	check_equal(*(volatile uint64_t *)(void *)at, *(volatile uint64_t *)(void *)s.at);
	check_equal(event_value("mshare_link", file, " address="), (uint64_t)(uintptr_t)at);
	check_equal(event_value("mshare_link", file, " filled="), SIZE / SLOT);
	check(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SLOT, PAGE) == 0);
	check_equal(event_value("mshare_invalidate", file, " linked="), 1);
	check(event_value("mshare_invalidate", file, " end=") -
		      event_value("mshare_invalidate", file, " start=") >=
	      PAGE);
	check_equal(event_value("mshare_unlink", file, " emptied="), 1);
	check(event_value("mshare_flush", "", " tables=") >= 1);
	trace(false);
	detach(at, SIZE);
	pages_fill(s.at, SIZE, SCENE_SALT);
	scene_end(&s);
}

/* An invalidation that meets nobody is told as such, and nothing is unlinked. */
static void test_nobody_is_met(void **state)
{
	int fd = memory_file(SIZE);
	struct host host = host_start(fd, SIZE, READ_WRITE);
	char file[96], line[512], *plain = map_plain(fd, SIZE, READ_WRITE);

	(void)state;
	name_of(fd, file, sizeof(file));
	memset(plain, 1, SIZE);
	trace(true);
	check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SLOT) == 0);
	check_equal(event_value("mshare_invalidate", file, " linked="), 0);
	find_event("mshare_unlink", file, line, sizeof(line));
	check_equal(line[0], '\0');
	trace(false);
	munmap(plain, SIZE);
	host_leaves(&host);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_nobody_is_met),
	};

	return SHIM_MAIN(cases);
}
