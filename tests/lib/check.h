/* SPDX-License-Identifier: MIT */
/*
 * Checks that work the same in a test and in the processes it forks: a failing check ends the
 * CMocka test in the first, and the process with a status that child_wait() notices in the others.
 */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Set once in each forked process, before it checks anything. */
extern bool check_in_child;

struct check_site {
	const char *file;
	int line;
	const char *text;
};

#define CHECK_SITE(text) (&(const struct check_site){ __FILE__, __LINE__, text })

#define check(condition) check_true((condition), CHECK_SITE(#condition))
#define check_equal(got, wanted)                                                                   \
	check_same((uint64_t)(got), (uint64_t)(wanted), CHECK_SITE(#got " == " #wanted))

/*
 * A call that must be refused: `failed` is an expression such as `mshare_close(r) == -1`. Its errno
 * is the expected one, and the sentence is its own, not one left over from an earlier call.
 */
#define check_refused(failed, expected)                                                            \
	do {                                                                                       \
		check_leave_sentence();                                                            \
		check_refusal((failed), (expected), CHECK_SITE(#failed " with " #expected));       \
	} while (0)

void check_true(bool ok, const struct check_site *site);
void check_same(uint64_t got, uint64_t wanted, const struct check_site *site);
void check_refusal(bool failed, int expected, const struct check_site *site);

/* Makes mshare_errmsg() a sentence that no other call says. */
void check_leave_sentence(void);

#endif
