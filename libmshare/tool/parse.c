/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits only: strtoull() would take blanks and a minus sign as well. */
static int parse_digits(const char *text, uint64_t *value, const char **end)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -EOVERFLOW;
	}
	*value = v;
	*end = text;
	return 0;
}

/* "", "K", "KB" and "KiB" in any case: all powers of 1024. 0 for anything else. */
static uint64_t unit_factor(const char *unit)
{
	static const char letters[] = "kmgt";
	const char *letter;

	if (!*unit || !strcasecmp(unit, "b"))
		return 1;
	letter = strchr(letters, tolower((unsigned char)*unit));
	if (!letter || (unit[1] && strcasecmp(unit + 1, "b") && strcasecmp(unit + 1, "ib")))
		return 0;
	return (uint64_t)1 << 10 * (letter - letters + 1);
}

int parse_size(const char *text, uint64_t *size)
{
	const char *unit;
	uint64_t factor;
	int err = parse_digits(text, size, &unit);

	if (err)
		return err;
	factor = unit_factor(unit);
	if (!factor || !*size)
		return -EINVAL;
	if (__builtin_mul_overflow(*size, factor, size) || *size > INT64_MAX)
		return -EOVERFLOW;
	return 0;
}

int parse_count(const char *text, uint64_t most, uint64_t *count)
{
	const char *end;
	int err = parse_digits(text, count, &end);

	if (err)
		return err;
	if (*end || !*count)
		return -EINVAL;
	return *count > most ? -EOVERFLOW : 0;
}

int parse_mode(const char *text, uint32_t *mode)
{
	uint32_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return -EINVAL;
		value = value * 8 + (uint32_t)(*text - '0');
		if (value > 0777)
			return -EINVAL;
	}
	*mode = value;
	return 0;
}

int parse_seconds(const char *text, double least, double most, double *seconds)
{
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	*seconds = strtod(text, &end);
	return !*end && *seconds >= least && *seconds <= most ? 0 : -EINVAL;
}

int parse_proc_kib(const char *text, const char *label, uint64_t *bytes)
{
	size_t length = strlen(label);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, label, length) && text[length] == ':') {
			*bytes = strtoull(text + length + 1, NULL, 10) * KIB;
			return 0;
		}
		if (!*text)
			break;
	}
	return -ENOENT;
}
