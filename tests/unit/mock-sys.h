/* SPDX-License-Identifier: MIT */
/*
 * A scripted sys.h: the test says which system calls it expects, in order, and what they answer.
 *
 * A call is written as text, "munmap(0x10000, 4096)", and compared with fnmatch(3), so that "*"
 * stands for what does not matter and a complaint is readable. A call that is not next in the
 * script answers -ENOTRECOVERABLE and is remembered; mock_verify() fails the test for it, and for
 * expected calls never made. (Failing at once would jump out of the library with its lock held.)
 *
 * Environment, page size and small files are state rather than script: code may look at them as
 * often as it likes.
 */
#ifndef MOCK_SYS_H
#define MOCK_SYS_H

#include <stddef.h>
#include <stdint.h>

/* CMocka setup and teardown: an empty script; mock_verify(). */
int mock_setup(void **state);
int mock_teardown(void **state);

/* The next call matches `pattern` (after printf formatting) and answers `result`. */
__attribute__((format(printf, 2, 3))) void mock_expect(long result, const char *pattern, ...);

/* What the call expected last writes to its out parameter: copied when it is made. */
void mock_gives(const void *data, size_t size);

/* sys_mmap() answers: expect it and the address it gives. */
__attribute__((format(printf, 2, 3))) void mock_expect_map(uintptr_t addr, const char *pattern,
							   ...);

/* State. A NULL value or text removes the entry. */
void mock_env(const char *name, const char *value);
void mock_file(const char *path, const char *text);
void mock_page_size(uint64_t size);
void mock_seconds(int64_t seconds);
void mock_clear_state(void);

/* Calls of the script not made yet. */
size_t mock_pending(void);

/* Fails the test with everything that went against the script, and clears it. */
void mock_verify(void);

/* The complaints so far as text, forgotten afterwards: for the tests of the mock itself. */
const char *mock_take_complaints(void);

#endif
