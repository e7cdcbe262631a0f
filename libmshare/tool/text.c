/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define REPLACEMENT "\357\277\275" /* U+FFFD */

/* Makes the C library read and judge UTF-8, whatever the environment says. The one before. */
static locale_t begin_utf8(void)
{
	static locale_t utf8;

	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	return utf8 ? uselocale(utf8) : (locale_t)0;
}

static void end_utf8(locale_t before)
{
	if (before)
		uselocale(before);
}

/* Length of the first character, and what it is; a byte that begins none is one, and 0. */
static size_t next(const char *bytes, wchar_t *character)
{
	mbstate_t state = { 0 };
	size_t length = mbrtowc(character, bytes, MB_LEN_MAX, &state);

	if (length && length <= MB_LEN_MAX)
		return length;
	*character = 0;
	return 1;
}

char *text_utf8(const char *bytes)
{
	char *text = malloc(strlen(bytes) * strlen(REPLACEMENT) + 1);
	locale_t before = begin_utf8();
	char *end = text;

	while (text && *bytes) {
		wchar_t character;
		size_t length = next(bytes, &character);

		end = character ? mempcpy(end, bytes, length) : stpcpy(end, REPLACEMENT);
		bytes += length;
	}
	if (text)
		*end = '\0';
	end_utf8(before);
	return text;
}

void text_print(FILE *out, const char *bytes, int columns)
{
	locale_t before = begin_utf8();

	while (*bytes) {
		wchar_t character;
		size_t length = next(bytes, &character);
		bool printable = character && iswprint((wint_t)character);
		int width = printable ? wcwidth(character) : 1;

		if (columns >= 0 && width > columns)
			break;
		if (columns >= 0)
			columns -= width;
		fwrite(printable ? bytes : "?", printable ? length : 1, 1, out);
		bytes += length;
	}
	end_utf8(before);
}
