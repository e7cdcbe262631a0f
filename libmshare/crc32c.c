/* SPDX-License-Identifier: MIT */
#include "crc32c.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* bits reversed */
#define SLICES 8

static uint32_t tables[SLICES][256];
static bool fast;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* tables[k][b]: the byte b with k zero bytes behind it. */
static void prepare(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t state = b;

		for (int bit = 0; bit < 8; bit++)
			state = state >> 1 ^ (state & 1 ? POLYNOMIAL : 0);
		tables[0][b] = state;
	}
	for (int k = 1; k < SLICES; k++) {
		for (int b = 0; b < 256; b++)
			tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
	}
	fast = crc32c_fast_usable();
}

/* Eight bytes at a time, one table for each. */
static uint32_t update(uint32_t state, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		word = le64toh(word) ^ state;
		state = 0;
		for (int k = 0; k < SLICES; k++)
			state ^= tables[SLICES - 1 - k][word >> 8 * k & 0xff];
	}
	for (; len; p++, len--)
		state = state >> 8 ^ tables[0][(state ^ *p) & 0xff];
	return state;
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
	pthread_once(&once, prepare);
	return ~update(~crc, bytes, len);
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	pthread_once(&once, prepare);
	return fast ? ~crc32c_fast(~crc, bytes, len) : ~update(~crc, bytes, len);
}
