/* SPDX-License-Identifier: MIT */
/* The test module second-notifier: another user of MMU notifiers in this process. */
#ifndef TEST_WATCH_H
#define TEST_WATCH_H

#include <stdint.h>

struct watch_counts {
	uint64_t mapped, starts, ends; /* of an ordinary notifier */
	uint64_t interval_mapped, intervals; /* of an interval notifier */
};

/* Loads the module, and lets it watch this process; the second lets one more. */
int watch_open(void);
int watch_open_again(void);
void watch_close(int watch);

struct watch_counts watch_read(int watch);
/* The page at an address, as a hypervisor would map it into its guest. */
void watch_take(int watch, const char *at);
/* How long interval notifiers take from now on, and ordinary ones that have a page. */
void watch_delay(unsigned int interval_ms, unsigned int start_ms);

#endif
