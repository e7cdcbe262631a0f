/* SPDX-License-Identifier: MIT */
/* The part of the mock that code may look at as often as it likes. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "mock-sys.h"
#include "sys.h"
#include "unit.h"

enum { ENTRIES = 32 };

struct entry {
	char key[128];
	char *value;
};

/* Guarded by lock where threads look; tests change it before they start any. */
static struct {
	pthread_mutex_t lock;
	struct entry env[ENTRIES], files[ENTRIES];
	uint64_t page_size;
	int64_t seconds;
} machine = { .lock = PTHREAD_MUTEX_INITIALIZER, .page_size = 4096 };

static void set_entry(struct entry *table, const char *key, const char *value)
{
	struct entry *free_slot = NULL;

	for (size_t i = 0; i < ENTRIES; i++) {
		if (table[i].value && strcmp(table[i].key, key) == 0) {
			free(table[i].value);
			table[i].value = NULL;
		}
		if (!table[i].value)
			free_slot = &table[i];
	}
	if (!value)
		return;
	assert_non_null(free_slot);
	snprintf(free_slot->key, sizeof(free_slot->key), "%s", key);
	free_slot->value = strdup(value);
}

static const char *get_entry(const struct entry *table, const char *key)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (table[i].value && strcmp(table[i].key, key) == 0)
			return table[i].value;
	return NULL;
}

void mock_env(const char *name, const char *value)
{
	set_entry(machine.env, name, value);
}

void mock_file(const char *path, const char *text)
{
	set_entry(machine.files, path, text);
}

void mock_page_size(uint64_t size)
{
	machine.page_size = size;
}

static void clear_table(struct entry *table)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		free(table[i].value);
		table[i].value = NULL;
	}
}

ssize_t sys_read_file(const char *path, char *buf, size_t size)
{
	const char *text = get_entry(machine.files, path);

	if (!text)
		return -ENOENT;
	snprintf(buf, size, "%s", text);
	return (ssize_t)strlen(buf);
}

uint64_t sys_page_size(void)
{
	return machine.page_size;
}

uint64_t sys_memlock_limit(void)
{
	return UINT64_MAX;
}

const char *sys_getenv(const char *name)
{
	const char *value;

	pthread_mutex_lock(&machine.lock);
	value = get_entry(machine.env, name);
	pthread_mutex_unlock(&machine.lock);
	return value;
}

void mock_clear_state(void)
{
	machine.page_size = 4096;
	machine.seconds = 1;
	clear_table(machine.env);
	clear_table(machine.files);
}

void mock_seconds(int64_t seconds)
{
	machine.seconds = seconds;
}

int64_t sys_seconds(void)
{
	return machine.seconds;
}
