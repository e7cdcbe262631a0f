/* SPDX-License-Identifier: MIT */
#include "sysv-table.h"

#include <errno.h>
#include <stdatomic.h>

#include "guard.h"

#define MOST 1024

static struct sysv_attachment table[MOST]; /* guard_lock(); the first `count` are in use */
static atomic_size_t count; /* guard_lock() to change it */

bool sysv_table_any(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

int sysv_table_add(const struct sysv_attachment *a)
{
	size_t n;
	int err = -ENOSPC;

	guard_lock();
	n = atomic_load_explicit(&count, memory_order_relaxed);
	if (n < MOST) {
		table[n] = *a;
		atomic_store_explicit(&count, n + 1, memory_order_release);
		err = 0;
	}
	guard_unlock();
	return err;
}

bool sysv_table_take(uintptr_t addr, struct sysv_attachment *out)
{
	size_t n;
	bool found = false;

	guard_lock();
	n = atomic_load_explicit(&count, memory_order_relaxed);
	for (size_t i = 0; i < n && !found; i++) {
		if (table[i].addr != addr)
			continue;
		*out = table[i];
		table[i] = table[n - 1];
		atomic_store_explicit(&count, n - 1, memory_order_release);
		found = true;
	}
	guard_unlock();
	return found;
}
