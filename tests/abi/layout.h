/* SPDX-License-Identifier: MIT */
/* What a binary interface consists of, as numbers that the compiler checks, in C and C++. */
#ifndef TEST_LAYOUT_H
#define TEST_LAYOUT_H

#include <limits.h>
#include <stddef.h>

#ifdef __cplusplus
#define CHECK(what, is, value) static_assert((is) == (value), what)
#else
#define CHECK(what, is, value) _Static_assert((is) == (value), what)
#endif
#define SIZE(type, size) CHECK("size of " #type, sizeof(struct type), size)
#define FIELD(type, field, offset, size)                                                           \
	CHECK("offset of " #type "." #field, offsetof(struct type, field), offset);                \
	CHECK("size of " #type "." #field, sizeof(((struct type *)0)->field), size)
#define VALUE(name, value) CHECK(#name, name, value)

CHECK("64-bit machine", sizeof(void *) * CHAR_BIT, 64);

#endif
