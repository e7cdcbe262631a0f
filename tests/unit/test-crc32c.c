/* SPDX-License-Identifier: MIT */
/* The checksum of image files: known values, and the same by every way to get it. */
#include "crc32c.h"
#include "unit.h"

#include <stdlib.h>

#define SIZE ((size_t)70000)

static void known_values(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	/* RFC 3720, B.4 */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned char i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(crc32c_portable(0, bytes, sizeof(bytes)), 0x46dd794e);
}

/* Lengths around each step of the fast way, at every alignment, in one piece or two. */
static void all_ways_agree(void **state)
{
	unsigned char *bytes = malloc(SIZE + 8);
	uint32_t seed = 1;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE + 8; i++)
		bytes[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
	for (size_t len = 0; len < SIZE; len += len < 40 ? 1 : len / 7) {
		size_t at = len % 8;
		uint32_t wanted = crc32c_portable(seed, bytes + at, len);

		assert_int_equal(crc32c(seed, bytes + at, len), wanted);
		assert_int_equal(crc32c(crc32c(seed, bytes + at, len / 3), bytes + at + len / 3,
					len - len / 3),
				 wanted);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(all_ways_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
