/* SPDX-License-Identifier: MIT */
#include "choice.h"

#include <stdlib.h>

static unsigned int state;

/* Far from each other for neighbours: rand_r() soon runs into what it has returned before. */
void choices_begin(unsigned int seed, unsigned int stream)
{
	uint64_t product = (seed + stream + UINT64_C(1)) * UINT64_C(0xd1b54a32d192ed03);

	state = (unsigned int)(product >> 32) ^ (unsigned int)product;
}

unsigned int choose(unsigned int n)
{
	return (unsigned int)rand_r(&state) % n;
}

uint64_t any_bits(void)
{
	return (uint64_t)rand_r(&state) << 42 ^ (uint64_t)rand_r(&state) << 21 ^
	       (uint64_t)rand_r(&state);
}
