/* SPDX-License-Identifier: MIT */
/*
 * Random choices, which are the same again for the same seed and stream. Not for several threads.
 */
#ifndef TEST_CHOICE_H
#define TEST_CHOICE_H

#include <stdint.h>

void choices_begin(unsigned int seed, unsigned int stream);

/* A number less than n. */
unsigned int choose(unsigned int n);

uint64_t any_bits(void);

#endif
