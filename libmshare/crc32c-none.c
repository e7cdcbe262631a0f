/* SPDX-License-Identifier: MIT */
/* Processors without an instruction that we know. */
#include "crc32c.h"

bool crc32c_fast_usable(void)
{
	return false;
}

uint32_t crc32c_fast(uint32_t state, const unsigned char *p, size_t len)
{
	return ~crc32c_portable(~state, p, len);
}
