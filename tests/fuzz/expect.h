/* SPDX-License-Identifier: MIT */
/* What the parts of the fuzz target share. */
#ifndef TEST_FUZZ_EXPECT_H
#define TEST_FUZZ_EXPECT_H

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "target.h"

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s (last sentence: %s)\n", __FILE__,       \
				__LINE__, #condition, fail_reason());                              \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Counts a result; a refusal has a sentence. */
void fuzz_count(enum target target, int err);

#endif
