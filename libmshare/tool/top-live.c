/* SPDX-License-Identifier: MIT */
/* mshare top on a terminal: draws, and does what keys say. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parse.h"
#include "screen.h"
#include "term.h"
#include "top.h"

struct live {
	struct top *top;
	struct screen screen;
	struct census now;
	bool help;
	bool asking; /* for a delay */
	char answer[16];
	size_t scrolled; /* regions above the first one that is shown */
	double due; /* the next census, by seconds() */
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int look(struct live *l)
{
	struct census next;
	int err = census_take(&next, l->now.clock > 0 ? &l->now : NULL, l->top->thorough);

	if (err) {
		census_free(&next);
		return err;
	}
	census_free(&l->now);
	l->now = next;
	l->due = seconds() + l->top->delay;
	return 0;
}

static void draw_prompt(FILE *out, const struct live *l)
{
	if (l->asking)
		fprintf(out, "%sseconds between two looks (now %g): %s%s", term_on(TERM_BOLD),
			l->top->delay, l->answer, term_off());
	screen_line(out);
}

/*
 * Room for regions: the summary, the prompt and the heading take theirs, and one line stays free.
 */
static size_t room(const struct live *l)
{
	int rows = l->screen.rows - TOP_SUMMARY_LINES - 3;

	return rows > 1 ? (size_t)rows : 1;
}

static void draw_table(FILE *out, struct live *l)
{
	size_t last;

	if (l->scrolled >= l->now.count)
		l->scrolled = l->now.count ? l->now.count - 1 : 0;
	last = l->scrolled + room(l);
	for (unsigned int i = 0; i < TOP_SUMMARY_LINES; i++) {
		top_print_summary(out, l->top, &l->now, i);
		screen_line(out);
	}
	draw_prompt(out, l);
	top_print_heading(out, l->top, l->screen.columns);
	screen_line(out);
	top_sort(l->top, &l->now);
	for (size_t i = l->scrolled; i < l->now.count && i < last; i++) {
		top_print_region(out, &l->now, &l->now.list[i], l->screen.columns);
		screen_line(out);
	}
}

static void draw_help(FILE *out)
{
	const char *line = TOP_KEYS;

	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		fprintf(out, "%.*s", (int)(end - line), line);
		screen_line(out);
	}
}

/* In one piece, so that nobody sees half of it. */
static void draw(struct live *l)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	screen_begin(out);
	if (l->help)
		draw_help(out);
	else
		draw_table(out, l);
	screen_end(out);
	fclose(out);
	fwrite(text, size, 1, stdout);
	fflush(stdout);
	free(text);
}

static void answer_key(struct live *l, int key)
{
	size_t length = strlen(l->answer);
	double delay;

	if (key == '\n' || key == '\r') {
		l->asking = false;
		if (!parse_seconds(l->answer, DELAY_LEAST, DELAY_MOST, &delay)) {
			l->top->delay = delay;
			l->due = seconds() + delay;
		}
	} else if (key == '\033') {
		l->asking = false;
	} else if ((key == 127 || key == '\b') && length) {
		l->answer[length - 1] = '\0';
	} else if (key > ' ' && key < 127 && length + 1 < sizeof(l->answer)) {
		l->answer[length] = (char)key;
		l->answer[length + 1] = '\0';
	}
}

/* The next column to the right (1) or left (-1) that is shown. */
static void move_sort(struct live *l, int step)
{
	size_t count = top_column_count();

	do {
		l->top->sort = (unsigned int)((l->top->sort + count + (size_t)step) % count);
	} while (!top_column_shown(l->top->sort, l->screen.columns));
}

static void press(struct live *l, int key)
{
	switch (key) {
	case '<':
	case '>':
		move_sort(l, key == '>' ? 1 : -1);
		break;
	case 'r':
		l->top->reverse = !l->top->reverse;
		break;
	case 't':
		l->top->thorough = !l->top->thorough;
		l->due = 0;
		break;
	case ' ':
		l->due = 0;
		break;
	case 'd':
		l->asking = true;
		l->answer[0] = '\0';
		break;
	case KEY_UP:
		l->scrolled -= l->scrolled > 0;
		break;
	case KEY_DOWN:
		l->scrolled += l->scrolled + room(l) < l->now.count;
		break;
	default:
		break;
	}
}

/* False: the user has had enough. */
static bool handle_key(struct live *l, int key)
{
	if (l->asking) {
		answer_key(l, key);
		return true;
	}
	if (l->help) {
		l->help = false;
		return key != 'q';
	}
	if (key == 'q' || key == 'Q')
		return false;
	if (key == 'h' || key == '?')
		l->help = true;
	press(l, key);
	return true;
}

/* Until the next census is due, or it is all over: false. */
static bool wait_and_handle(struct live *l)
{
	double left = l->due - seconds();
	int key = 0;

	while (left > 0) {
		switch (screen_wait(&l->screen, (int)(left * 1000) + 1, &key)) {
		case SCREEN_ENDED:
			return false;
		case SCREEN_KEY:
			if (!handle_key(l, key))
				return false;
			draw(l);
			break;
		case SCREEN_CHANGED:
			draw(l);
			break;
		case SCREEN_TIMEOUT:
			break;
		}
		left = l->due - seconds();
	}
	return true;
}

int top_live(struct top *t)
{
	struct live l = { .top = t };
	int err = screen_open(&l.screen);

	if (err)
		return tool_failed(t->command, "no descriptor is left for signals");
	do {
		err = look(&l);
		if (!err)
			draw(&l);
	} while (!err && !ferror(stdout) && wait_and_handle(&l));
	screen_close(&l.screen);
	census_free(&l.now);
	return err ? tool_failed(t->command, "no memory for the regions") : 0;
}
