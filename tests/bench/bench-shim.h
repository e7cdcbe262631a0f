/* SPDX-License-Identifier: MIT */
/*
 * What attaching, forking and invalidating cost with the kernel module, each beside what the same
 * costs with mmap(2) alone, in turn in one run. Prints, never judges: what can be counted is judged
 * in tests/shim/test-counts.c.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mshare.h"

/* --- bench-shim.c --- */

double now_us(void);
double median(double *values, size_t count);

/* A region of the backend shim, empty. The program ends if it cannot be had. */
mshare_t shim_region(size_t size);
/* All of it, by the library; and all of the file behind it, by mmap(2). */
void *shim_attach(mshare_t region, size_t size);
void *plain_map(mshare_t region, size_t size);

/* Reads, or with `write` writes, a word of every page. */
void touch_pages(void *at, size_t size, bool write);

/* A figure is one JSON object on a line: begin, any number of fields, end. */
struct figure;
struct figure *figure_begin(const char *name);
void figure_text(struct figure *f, const char *key, const char *value);
void figure_count(struct figure *f, const char *key, uint64_t value);
void figure_flag(struct figure *f, const char *key, bool value);
void figure_number(struct figure *f, const char *key, double value);
void figure_end(struct figure *f);

/* --- shim-attach.c, shim-fork.c, shim-protect.c, shim-punch.c --- */

void bench_attach(size_t size);
void bench_fork(size_t size, unsigned int rounds);
void bench_protect(size_t size, unsigned int processes, unsigned int rounds);
void bench_punch(unsigned int rounds);

#endif
