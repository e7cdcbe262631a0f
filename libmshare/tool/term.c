/* SPDX-License-Identifier: MIT */
#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 40

/* https://no-color.org: any value but the empty one turns colours off. */
static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *type = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && type && strcmp(type, "dumb");
}

static bool coloured(void)
{
	static int answer = -1;

	if (answer < 0)
		answer = wants_colour();
	return answer;
}

const char *term_on(enum term_style style)
{
	static const char *const codes[TERM_STYLES] = {
		[TERM_BOLD] = "\033[1m",
		[TERM_DIM] = "\033[2m",
		[TERM_GOOD] = "\033[32m",
		[TERM_BAD] = "\033[31m",
	};

	return coloured() ? codes[style] : "";
}

const char *term_off(void)
{
	return coloured() ? "\033[0m" : "";
}

const char *term_size(uint64_t bytes, char *buf)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	/* "4 KiB" and "23.5 GiB", never "4.0 KiB" */
	snprintf(buf, TERM_SIZE_TEXT, "%.*f %s", value - (double)(uint64_t)value < 0.05 ? 0 : 1,
		 value, units[unit]);
	return buf;
}

void progress_start(struct progress *p, unsigned int total)
{
	*p = (struct progress){ .total = total, .shown = isatty(STDERR_FILENO) };
}

void progress_reach(struct progress *p, unsigned int done, const char *what)
{
	int filled;

	p->done = done < p->total ? done : p->total;
	if (!p->shown)
		return;
	filled = (int)((uint64_t)p->done * BAR_WIDTH / p->total);
	fprintf(stderr, "\r[%.*s%*s] %3u%% %-8s", filled,
		"########################################", BAR_WIDTH - filled, "",
		p->done * 100 / p->total, what);
}

void progress_step(struct progress *p, const char *what)
{
	progress_reach(p, p->done + 1, what);
}

void progress_skip(struct progress *p, unsigned int steps)
{
	p->done += steps;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r%*s\r", BAR_WIDTH + 18, "");
	p->shown = false;
}
