/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and Btrfs: crc32c.c on any machine,
 * crc32c-x86.c with the instruction of SSE4.2.
 */
#ifndef MSHARE_CRC32C_H
#define MSHARE_CRC32C_H

#include "util.h"

/* Of bytes that follow those of which the checksum is crc; 0 to begin with. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same by the table alone; the result never differs. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len);

/* crc32c-x86.c: whether this processor has the instruction; and the state after len bytes, before
 * the inversion at both ends. */
bool crc32c_fast_usable(void);
uint32_t crc32c_fast(uint32_t state, const unsigned char *p, size_t len);

#endif
