/* SPDX-License-Identifier: MIT */
/*
 * Image files, as somebody writes them who knows the format: checksums are made to match unless the
 * input says otherwise, so that the checks behind them are reached.
 */
#ifndef TEST_FUZZ_TARGET_IMAGE_H
#define TEST_FUZZ_TARGET_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* A header: 1 byte, not 0: leave its checksum wrong; 8 bytes, the length of the file; then what the
 * page begins with. */
void fuzz_head(const uint8_t *data, size_t size);

/* A table: 1 byte, the chunks of the region; 1 byte, which entry has a wrong checksum; then the
 * entries. The header fits them. */
void fuzz_table(const uint8_t *data, size_t size);

/* A chunk: 1 byte, its pages less one; 1 byte, not 0: a wrong checksum; 2 bytes, the pages that the
 * entry claims; then its map. */
void fuzz_chunk(const uint8_t *data, size_t size);

#endif
