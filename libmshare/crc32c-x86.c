/* SPDX-License-Identifier: MIT */
/*
 * The instruction takes three cycles and a new one can start in each: three checksums of
 * neighbouring pieces are kept going, and joined by what zero bytes do to a state. That is linear,
 * so 32 states tell it for all of them.
 */
#include "crc32c.h"

#include <nmmintrin.h>
#include <pthread.h>
#include <string.h>

#define PIECE ((size_t)4096)

static uint32_t over_piece[4][256]; /* by byte of the state: what PIECE zero bytes make of it */
static pthread_once_t once = PTHREAD_ONCE_INIT;

__attribute__((target("sse4.2"))) static uint32_t one(uint32_t state, const unsigned char *p,
						      size_t len)
{
	uint64_t word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		state = (uint32_t)_mm_crc32_u64(state, word);
	}
	for (; len; p++, len--)
		state = _mm_crc32_u8(state, *p);
	return state;
}

static void prepare(void)
{
	static const unsigned char zeros[PIECE];

	for (int byte = 0; byte < 4; byte++) {
		for (int bit = 0; bit < 8; bit++)
			over_piece[byte][1 << bit] = one(1u << (8 * byte + bit), zeros, PIECE);
		for (unsigned int v = 1; v < 256; v++) {
			unsigned int lowest = v & -v;

			over_piece[byte][v] =
				over_piece[byte][v - lowest] ^ over_piece[byte][lowest];
		}
	}
}

static uint32_t past_piece(uint32_t state)
{
	return over_piece[0][state & 0xff] ^ over_piece[1][state >> 8 & 0xff] ^
	       over_piece[2][state >> 16 & 0xff] ^ over_piece[3][state >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t three(uint32_t state, const unsigned char *p)
{
	uint64_t a = state, b = 0, c = 0;
	uint64_t word[3];

	for (size_t i = 0; i < PIECE; i += 8) {
		memcpy(&word[0], p + i, 8);
		memcpy(&word[1], p + PIECE + i, 8);
		memcpy(&word[2], p + 2 * PIECE + i, 8);
		a = _mm_crc32_u64(a, word[0]);
		b = _mm_crc32_u64(b, word[1]);
		c = _mm_crc32_u64(c, word[2]);
	}
	return past_piece(past_piece((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

bool crc32c_fast_usable(void)
{
	return __builtin_cpu_supports("sse4.2");
}

uint32_t crc32c_fast(uint32_t state, const unsigned char *p, size_t len)
{
	pthread_once(&once, prepare);
	for (; len >= 3 * PIECE; p += 3 * PIECE, len -= 3 * PIECE)
		state = three(state, p);
	return one(state, p, len);
}
