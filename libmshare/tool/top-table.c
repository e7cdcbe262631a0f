/* SPDX-License-Identifier: MIT */
/* The table of mshare top: its columns, and the order of its lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "term.h"
#include "text.h"
#include "top.h"

enum column_kind { OF_BACKEND, OF_NAME, OF_BYTES, OF_COUNT, OF_RATE };

static const struct column {
	const char *key;
	const char *heading;
	enum column_kind kind;
	enum figure figure;
	int width;
	int wants; /* columns that a terminal must have for it */
} columns[] = {
	{ "backend", "BACKEND", OF_BACKEND, 0, 7, 0 },
	{ "size", "SIZE", OF_BYTES, FIGURE_SIZE, 9, 0 },
	{ "used", "USED", OF_BYTES, FIGURE_USED, 9, 90 },
	{ "procs", "PROCS", OF_COUNT, FIGURE_ATTACHERS, 6, 0 },
	{ "once", "ONCE", OF_BYTES, FIGURE_ONCE, 9, 0 },
	{ "saved", "SAVED", OF_BYTES, FIGURE_SAVED, 9, 0 },
	{ "own", "OWN", OF_BYTES, FIGURE_OWN, 9, 110 },
	{ "faults", "FAULTS/s", OF_RATE, FIGURE_FAULTS, 8, 0 },
	{ "minor", "MINOR/s", OF_RATE, FIGURE_MINOR_FAULTS, 8, 110 },
	{ "invalidations", "INVAL/s", OF_RATE, FIGURE_INVALIDATIONS, 7, 0 },
	{ "name", "NAME", OF_NAME, 0, 0, 0 },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

size_t top_column_count(void)
{
	return COLUMN_COUNT;
}

const char *const *top_column_names(void)
{
	static const char *names[COLUMN_COUNT + 1];

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		names[i] = columns[i].key;
	return names;
}

int top_column(const char *key)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!strcmp(columns[i].key, key))
			return (int)i;
	}
	return -1;
}

bool top_column_shown(unsigned int column, int width)
{
	return !width || columns[column].wants <= width;
}

static const char *name_of(const struct census_region *r)
{
	return r->name ? r->name : r->path ? r->path : "?";
}

/* What has no name has the same path as others: who uses it tells more. */
static void print_name(FILE *out, const struct census_region *r, int room)
{
	char *text;

	if (r->name || !r->command[0] || asprintf(&text, "%s %s", name_of(r), r->command) < 0) {
		text_print(out, name_of(r), room);
		return;
	}
	text_print(out, text, room);
	free(text);
}

/* Negative: not known. */
static double value_of(const struct column *column, const struct census_region *r)
{
	uint64_t figure = r->figures[column->figure];

	if (column->kind == OF_RATE)
		return r->rates[column->figure];
	return figure == FIGURE_UNKNOWN ? -1 : (double)figure;
}

/* The largest first, and what is not known last. */
static int compare_numbers(double a, double b, int sign)
{
	if (a < 0 || b < 0)
		return (a < 0) - (b < 0);
	return sign * ((a < b) - (a > b));
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top *t = arg;
	const struct column *column = &columns[t->sort];
	const struct census_region *x = a;
	const struct census_region *y = b;
	int sign = t->reverse ? -1 : 1;
	int order;

	if (column->kind == OF_NAME)
		order = sign * strcmp(name_of(x), name_of(y));
	else if (column->kind == OF_BACKEND)
		order = sign * strcmp(census_backend(x) ?: "~", census_backend(y) ?: "~");
	else
		order = compare_numbers(value_of(column, x), value_of(column, y), sign);
	if (!order)
		order = strcmp(name_of(x), name_of(y));
	return order ? order : (x->ino > y->ino) - (x->ino < y->ino);
}

void top_sort(const struct top *t, struct census *c)
{
	if (c->count)
		qsort_r(c->list, c->count, sizeof(*c->list), compare, (void *)t);
}

static void format(char *text, size_t size, const struct census *c, const struct column *column,
		   double value)
{
	char bytes[TERM_SIZE_TEXT];

	if (value < 0)
		snprintf(text, size, "?");
	else if (column->kind == OF_BYTES)
		snprintf(text, size, "%s", term_size((uint64_t)value, bytes));
	else if (column->kind == OF_RATE)
		snprintf(text, size, value > 0 && value < 9.95 ? "%.1f" : "%.0f", value);
	else
		snprintf(text, size, "%.0f%s", value, c->unread && value > 0 ? "+" : "");
}

void top_print_region(FILE *out, const struct census *c, const struct census_region *r, int width)
{
	char text[64];
	int used = 0;

	for (unsigned int i = 0; i < COLUMN_COUNT; i++) {
		const struct column *column = &columns[i];

		if (!top_column_shown(i, width))
			continue;
		if (column->kind == OF_BACKEND) {
			used += fprintf(out, "%-*s", column->width, census_backend(r) ?: "-");
		} else if (column->kind == OF_NAME) {
			used += fprintf(out, "  ");
			print_name(out, r, !width ? -1 : width > used ? width - used : 0);
		} else {
			format(text, sizeof(text), c, column, value_of(column, r));
			used += fprintf(out, " %*s", column->width, text);
		}
	}
}

void top_print_heading(FILE *out, const struct top *t, int width)
{
	for (unsigned int i = 0; i < COLUMN_COUNT; i++) {
		const struct column *column = &columns[i];
		const char *style = i == t->sort ? term_on(TERM_GOOD) : "";

		if (!top_column_shown(i, width))
			continue;
		if (column->kind == OF_BACKEND)
			fprintf(out, "%s%s%-*s%s", term_on(TERM_BOLD), style, column->width,
				column->heading, term_off());
		else
			fprintf(out, "%s%s%s%*s%s", column->kind == OF_NAME ? "  " : " ",
				term_on(TERM_BOLD), style, column->width, column->heading,
				term_off());
	}
}

/* The sum of what is known, and a + where something is not. */
static const char *total(const struct census *c, enum figure figure, char *text, size_t size)
{
	char bytes[TERM_SIZE_TEXT];
	bool all = !c->unread;
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (c->list[i].figures[figure] == FIGURE_UNKNOWN)
			all = false;
		else
			sum += c->list[i].figures[figure];
	}
	snprintf(text, size, "%s%s", term_size(sum, bytes), all ? "" : "+");
	return text;
}

static const char *module_text(const struct census *c)
{
	if (!c->module)
		return "module loaded";
	return c->module == -ENOSYS ? "module not loaded" : "no right to /dev/mshare";
}

void top_print_summary(FILE *out, const struct top *t, const struct census *c, unsigned int line)
{
	time_t seconds = (time_t)c->time;
	struct tm when;
	char clock[16];
	char once[32], saved[32];

	if (line == 0) {
		localtime_r(&seconds, &when);
		strftime(clock, sizeof(clock), "%H:%M:%S", &when);
		fprintf(out, "mshare top - %s, every %g s, %zu regions, %s", clock, t->delay,
			c->count, module_text(c));
	} else if (line == 1) {
		fprintf(out, "page tables: %s kept once for all, %s saved",
			total(c, FIGURE_ONCE, once, sizeof(once)),
			total(c, FIGURE_SAVED, saved, sizeof(saved)));
	} else if (c->unread) {
		fprintf(out, "+ is \"at least\": %zu process%s of others may not be looked at",
			c->unread, c->unread == 1 ? "" : "es");
	}
}
