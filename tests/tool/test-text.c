/* SPDX-License-Identifier: MIT */
/* The parts of the command that judge what others have written: names, and lines of /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "mapping.h"
#include "text.h"

#define REPLACED "\357\277\275"

static void check_utf8(const char *bytes, const char *wanted)
{
	char *text = text_utf8(bytes);

	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
}

static void utf8_is_valid(void **state)
{
	(void)state;
	check_utf8("", "");
	check_utf8("/pgbuf", "/pgbuf");
	check_utf8("\303\244\342\202\254\360\237\230\200", "\303\244\342\202\254\360\237\230\200");
	check_utf8("a\377b", "a" REPLACED "b");
	check_utf8("\303", REPLACED); /* cut off */
	check_utf8("\300\257", REPLACED REPLACED); /* a slash, overlong */
	check_utf8("\355\240\200", REPLACED REPLACED REPLACED); /* a surrogate */
}

static void check_printed(const char *bytes, int columns, const char *wanted)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	text_print(out, bytes, columns);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void terminals_get_no_commands(void **state)
{
	(void)state;
	check_printed("/a\033[2Jb\n", -1, "/a?[2Jb?");
	check_printed("\302\233" /* U+009B, which begins commands too */, -1, "?");
	check_printed("\233", -1, "?");
	check_printed("abc", 2, "ab");
	check_printed("abc", 0, "");
	check_printed("\343\201\202\343\201\202", 3, "\343\201\202"); /* two columns each */
}

static void check_mapping(const char *line, bool linked, dev_t dev, ino_t ino, const char *path)
{
	char text[256];
	struct mapping m;

	snprintf(text, sizeof(text), "%s", line);
	assert_true(mapping_parse(text, &m));
	assert_int_equal(m.linked, linked);
	assert_true(m.dev == dev);
	assert_true(m.ino == ino);
	assert_string_equal(m.path, path);
	assert_int_equal(m.start, 0x7f0000200000);
	assert_int_equal(m.end, 0x7f0000400000);
}

static void lines_of_maps(void **state)
{
	char smaps[] = "Size:               2048 kB\n";
	struct mapping m;

	(void)state;
	check_mapping("7f0000200000-7f0000400000 rw-s 00000000 00:1b 470315                     "
		      "/dev/shm/a b (deleted)\n",
		      false, makedev(0, 0x1b), 470315, "/dev/shm/a b (deleted)");
	check_mapping("7f0000200000-7f0000400000 rw-p 00000000 00:00 0 \n", false, makedev(0, 0), 0,
		      "");
	check_mapping("7f0000200000-7f0000400000 rw-s 00000000 00:0e 9     "
		      "anon_inode:[mshare] fe:01 18446744073709551615\n",
		      true, makedev(0xfe, 1), UINT64_MAX,
		      "anon_inode:[mshare] fe:01 18446744073709551615");
	assert_false(mapping_parse(smaps, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_valid),
		cmocka_unit_test(terminals_get_no_commands),
		cmocka_unit_test(lines_of_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
