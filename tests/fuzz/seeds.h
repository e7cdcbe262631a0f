/* SPDX-License-Identifier: MIT */
/* Inputs worth starting from: one on each side of every limit. */
#ifndef TEST_FUZZ_SEEDS_H
#define TEST_FUZZ_SEEDS_H

#include <stddef.h>
#include <stdint.h>

#define SEED_MAX ((size_t)4608)

/* Writes seed number `index` (from 0) to buf and returns its length; 0: there are no more. */
size_t seed(unsigned int index, uint8_t buf[SEED_MAX]);

/* Those of image files; buf is zero. */
size_t image_seed(unsigned int index, uint8_t buf[SEED_MAX]);

#endif
