/* SPDX-License-Identifier: MIT */
#include "suggest.h"

#include <stdint.h>
#include <string.h>

#define LONGEST_WORD 31

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein distance: letters to insert, delete or replace. b has at most LONGEST_WORD letters.
 */
static size_t distance(const char *a, const char *b)
{
	size_t row[LONGEST_WORD + 1];
	size_t width = strlen(b);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
					  diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[width];
}

const char *suggest_nearest(const char *word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	if (strlen(word) > LONGEST_WORD)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d = strlen(names[i]) > LONGEST_WORD ? SIZE_MAX : distance(word, names[i]);

		/* Two slips are a typing error; more than half of the word is another word. */
		if (d <= 2 && d * 2 <= strlen(names[i]) && d < least) {
			least = d;
			nearest = names[i];
		}
	}
	return nearest;
}
