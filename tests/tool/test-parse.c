/* SPDX-License-Identifier: MIT */
/* Sizes and counts that people type: what is taken, and that junk never becomes a number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parse.h"
#include "suggest.h"

static void sizes_are_binary(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "1", 1 },	      { "4096", 4096 },
		{ "7b", 7 },	      { "512M", 512 * MIB },
		{ "1G", GIB },	      { "1GiB", GIB },
		{ "2m", 2 * MIB },    { "3KB", 3 * KIB },
		{ "1T", 1024 * GIB }, { "9223372036854775807", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t size = 0;

		assert_int_equal(parse_size(good[i].text, &size), 0);
		assert_int_equal(size, good[i].size);
	}
}

static void junk_is_refused(void **state)
{
	static const char *const bad[] = { "",	  "0",	   "0M",   "M",	   "-1",  "+1",
					   " 1",  "1 ",	   "1 M",  "1X",   "1GX", "1iB",
					   "1Gi", "1MiBs", "1.5G", "0x10", "1e9", "1MM" };
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_size(bad[i], &size), -EINVAL);
}

static void overflow_is_told(void **state)
{
	static const char *const large[] = { "9223372036854775808",
					     "18446744073709551616",
					     "99999999999999999999999",
					     "8388608T",
					     "17179869184G",
					     "16777216T" };
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(parse_size(large[i], &size), -EOVERFLOW);
}

static void counts_have_a_limit(void **state)
{
	uint64_t count = 0;

	(void)state;
	assert_int_equal(parse_count("64", 64, &count), 0);
	assert_int_equal(count, 64);
	assert_int_equal(parse_count("65", 64, &count), -EOVERFLOW);
	assert_int_equal(parse_count("0", 64, &count), -EINVAL);
	assert_int_equal(parse_count("8x", 64, &count), -EINVAL);
	assert_int_equal(parse_count("", 64, &count), -EINVAL);
	assert_int_equal(parse_count("-8", 64, &count), -EINVAL);
}

static void seconds_have_fractions(void **state)
{
	double seconds;

	(void)state;
	assert_int_equal(parse_seconds("0.5", 0.1, 10, &seconds), 0);
	assert_true(seconds > 0.49 && seconds < 0.51);
	assert_int_equal(parse_seconds("10", 0.1, 10, &seconds), 0);
	assert_int_equal(parse_seconds("11", 0.1, 10, &seconds), -EINVAL);
	assert_int_equal(parse_seconds("0", 0.1, 10, &seconds), -EINVAL);
	assert_int_equal(parse_seconds("", 0.1, 10, &seconds), -EINVAL);
	assert_int_equal(parse_seconds("1s", 0.1, 10, &seconds), -EINVAL);
	assert_int_equal(parse_seconds("-1", 0.1, 10, &seconds), -EINVAL);
	assert_int_equal(parse_seconds("inf", 0.1, 10, &seconds), -EINVAL);
}

static void proc_labels_are_whole(void **state)
{
	static const char text[] = "VmPTEX:\t1 kB\nVmPTE:\t 52 kB\nLast:\t3 kB";
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(parse_proc_kib(text, "VmPTE", &bytes), 0);
	assert_int_equal(bytes, 52 * KIB);
	assert_int_equal(parse_proc_kib(text, "Last", &bytes), 0);
	assert_int_equal(bytes, 3 * KIB);
	assert_int_equal(parse_proc_kib(text, "VmPT", &bytes), -ENOENT);
	assert_int_equal(parse_proc_kib("", "VmPTE", &bytes), -ENOENT);
	assert_int_equal(parse_proc_kib("a\n", "VmPTE", &bytes), -ENOENT);
}

static void nearest_word(void **state)
{
	static const char *const names[] = { "doctor", "list", "stat", "rm" };

	(void)state;
	assert_string_equal(suggest_nearest("doctr", names, 4), "doctor");
	assert_string_equal(suggest_nearest("lsit", names, 4), "list");
	assert_string_equal(suggest_nearest("stats", names, 4), "stat");
	assert_null(suggest_nearest("flush", names, 4));
	assert_null(suggest_nearest("", names, 4));
	assert_null(suggest_nearest("averyveryveryveryverylongwordindeedandmore", names, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_binary),	  cmocka_unit_test(junk_is_refused),
		cmocka_unit_test(overflow_is_told),	  cmocka_unit_test(counts_have_a_limit),
		cmocka_unit_test(seconds_have_fractions), cmocka_unit_test(proc_labels_are_whole),
		cmocka_unit_test(nearest_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
