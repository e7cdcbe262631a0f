/* SPDX-License-Identifier: MIT */
/* What every unit test includes: CMocka with the headers it forgets. */
#ifndef UNIT_H
#define UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* It would hide fail() of the library; fail_msg() does the same with a sentence. */
#undef fail

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
