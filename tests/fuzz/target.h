/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzer feeds: the first byte of an input picks a function of the library, the rest are
 * its arguments. Each result is compared with what the public header promises, and a difference
 * aborts.
 */
#ifndef TEST_FUZZ_TARGET_H
#define TEST_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

enum target {
	TARGET_ATTR,
	TARGET_IN,
	TARGET_OUT,
	TARGET_NAME,
	TARGET_HEAD,
	TARGET_TABLE,
	TARGET_CHUNK,
	TARGET_COUNT
};

/* Inputs accepted and refused so far, so that a run can tell whether it tested anything. */
extern unsigned long accepted[TARGET_COUNT];
extern unsigned long refused[TARGET_COUNT];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
