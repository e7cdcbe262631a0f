/* SPDX-License-Identifier: MIT */
/*
 * The chart: one panel for each figure, one horizontal bar for each backend, logarithmic, because
 * the figures differ by orders of magnitude. Every bar has its number beside it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

/* Pixels. Bars start at LEFT and grow to at most LEFT + BAR_SPACE; numbers follow them. */
#define WIDTH 900
#define LEFT 110
#define BAR_SPACE 600
#define TOP 84
#define ROW 30
#define BAR 18
#define PANEL_HEAD 34
#define PANEL_FOOT 40
#define FOOT 36

#define COLOUR_MMAP "#8a8f98"
#define COLOUR_REGION "#2a6fdb"
#define COLOUR_TEXT "#1f2328"
#define COLOUR_MUTED "#656d76"
#define COLOUR_GRID "#dfe3e8"

enum figure { FIGURE_TABLES, FIGURE_FAULTS, FIGURE_SCAN, FIGURE_ATTACH, FIGURES };

static const char *const titles[FIGURES] = {
	[FIGURE_TABLES] = "Page tables per process",
	[FIGURE_FAULTS] = "Minor faults per process",
	[FIGURE_SCAN] = "First scan of the region",
	[FIGURE_ATTACH] = "Attach",
};

static double value_of(const struct bench_result *r, enum figure f)
{
	switch (f) {
	case FIGURE_TABLES:
		return (double)r->table_bytes;
	case FIGURE_FAULTS:
		return (double)r->minor_faults;
	case FIGURE_SCAN:
		return r->first_scan_ms;
	default:
		return r->attach_us;
	}
}

static void value_text(double value, enum figure f, char *out)
{
	if (f == FIGURE_TABLES)
		term_size((uint64_t)value, out);
	else if (f == FIGURE_FAULTS)
		snprintf(out, TERM_SIZE_TEXT, "%.0f", value);
	else
		snprintf(out, TERM_SIZE_TEXT, value < 1000 ? "%.3g %s" : "%.0f %s", value,
			 f == FIGURE_SCAN ? "ms" : "µs");
}

/* Reasons may hold any character. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static void put_text(FILE *out, double x, double y, const char *style, const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, style);
	put_escaped(out, text);
	fputs("</text>\n", out);
}

/* A logarithmic axis over whole steps: tables in powers of 16, all else in powers of ten. */
struct axis {
	double base;
	int low; /* exponents */
	int high;
};

static struct axis make_axis(const struct bench_report *report, enum figure f)
{
	struct axis a = { .base = f == FIGURE_TABLES ? 16 : 10, .low = 100, .high = -100 };

	if (f == FIGURE_TABLES) /* a table takes 16^3 bytes: one step below, so that one shows */
		a.low = 2;
	for (size_t i = 0; i < report->count; i++) {
		double value = value_of(&report->results[i], f);
		double exponent = log(value) / log(a.base);

		if (!report->results[i].ran || value <= 0)
			continue;
		/* The smallest value gets a bar too. */
		a.low = fmin(a.low, ceil(exponent - 1e-9) - 1);
		a.high = fmax(a.high, ceil(exponent - 1e-9));
	}
	if (a.low > a.high)
		a = (struct axis){ .base = a.base, .low = 0, .high = 1 };
	return a;
}

static double position(const struct axis *a, double value)
{
	double exponent = value > 0 ? log(value) / log(a->base) : a->low;

	return LEFT + BAR_SPACE * fmax(0, exponent - a->low) / (a->high - a->low);
}

static void put_grid(FILE *out, const struct axis *a, enum figure f, double top, double bottom)
{
	for (int e = a->low; e <= a->high; e++) {
		double value = pow(a->base, e);
		double x = position(a, value);
		char text[TERM_SIZE_TEXT];

		value_text(value, f, text);
		fprintf(out,
			"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
			"stroke=\"" COLOUR_GRID "\"/>\n",
			x, top, x, bottom);
		put_text(out, x, bottom + 15, "tick", text);
	}
}

static void put_bar(FILE *out, const struct axis *a, const struct bench_result *r,
		    const struct bench_result *mmap, enum figure f, double y)
{
	double value = value_of(r, f);
	double x = position(a, value);
	double ratio = value > 0 ? value_of(mmap, f) / value : 0;
	char text[2 * TERM_SIZE_TEXT + 16];
	char number[TERM_SIZE_TEXT];

	value_text(value, f, number);
	if (r != mmap && ratio >= 1.5)
		snprintf(text, sizeof(text), "%s  (%.*fx less)", number, ratio < 10 ? 1 : 0, ratio);
	else
		snprintf(text, sizeof(text), "%s", number);
	fprintf(out,
		"<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n",
		LEFT, y + (ROW - BAR) / 2.0, x - LEFT, BAR,
		r == mmap ? COLOUR_MMAP : COLOUR_REGION);
	put_text(out, x + 8, y + ROW / 2.0 + 4.5, "value", text);
}

static double put_panel(FILE *out, const struct bench_report *report, enum figure f, double y)
{
	struct axis a = make_axis(report, f);
	double top = y + PANEL_HEAD - 8;
	double bottom = y + PANEL_HEAD + ROW * (double)report->count;

	put_text(out, 24, y + 14, "panel", titles[f]);
	put_grid(out, &a, f, top, bottom);
	for (size_t i = 0; i < report->count; i++) {
		const struct bench_result *r = &report->results[i];
		double row = y + PANEL_HEAD + ROW * (double)i;

		put_text(out, LEFT - 10, row + ROW / 2.0 + 4.5, "name", r->name);
		if (r->ran)
			put_bar(out, &a, r, &report->results[BENCH_MMAP], f, row);
		else
			put_text(out, LEFT + 8, row + ROW / 2.0 + 4.5, "none",
				 "not on this machine");
	}
	return bottom + PANEL_FOOT;
}

static double height(const struct bench_report *report)
{
	double panel = PANEL_HEAD + ROW * (double)report->count + PANEL_FOOT;

	return TOP + FIGURES * panel + FOOT;
}

static void put_head(FILE *out, const struct bench_report *report)
{
	const struct bench_options *o = report->options;
	char size[TERM_SIZE_TEXT];
	char text[160];

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		"viewBox=\"0 0 %d %.0f\" role=\"img\" font-family=\"DejaVu Sans, Verdana, Helvetica, "
		"Arial, sans-serif\">\n"
		"<style>text{fill:" COLOUR_TEXT ";font-size:13px}"
		".title{font-size:20px;font-weight:bold}.panel{font-size:14px;font-weight:bold}"
		".name{text-anchor:end}.tick{text-anchor:middle;font-size:11px;fill:" COLOUR_MUTED
		"}.muted{font-size:12px;fill:" COLOUR_MUTED
		"}.none{font-style:italic;fill:" COLOUR_MUTED "}</style>\n",
		WIDTH, height(report), WIDTH, height(report));
	snprintf(text, sizeof(text), "One region of %s, %llu processes, %llu at a time",
		 term_size(o->size, size), (unsigned long long)o->procs,
		 (unsigned long long)o->parallel);
	fprintf(out, "<title>%s</title>\n", text);
	fprintf(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n");
	put_text(out, 24, 36, "title", text);
	put_text(out, 24, 58, "muted",
		 "What one process pays to attach the region and read every page once. Shorter is "
		 "better; logarithmic scales.");
}

static void put_foot(FILE *out, const struct bench_report *report)
{
	char text[320];
	struct utsname u;

	if (uname(&u))
		memset(&u, 0, sizeof(u));
	snprintf(text, sizeof(text),
		 "Medians from mshare bench tables%s; mmap: MAP_SHARED without the library. "
		 "libmshare %d.%d.%d, %s %s %s",
		 report->options->populate ? " --populate" : "", MSHARE_VERSION_MAJOR,
		 MSHARE_VERSION_MINOR, MSHARE_VERSION_PATCH, u.sysname, u.release, u.machine);
	put_text(out, 24, height(report) - 20, "muted", text);
}

/* Keeps what is there until there is something better. */
int bench_plot_open(const char *path, FILE **out)
{
	*out = fopen(path, "ae");
	return *out ? 0 : -errno;
}

int bench_plot(const struct bench_report *report, FILE *out)
{
	double y = TOP;
	int err = 0;

	/* Fails for what has no length, such as a pipe, and needs none. */
	if (ftruncate(fileno(out), 0) && errno != EINVAL)
		err = -errno;
	put_head(out, report);
	for (int f = 0; f < FIGURES; f++)
		y = put_panel(out, report, (enum figure)f, y);
	put_foot(out, report);
	fputs("</svg>\n", out);
	if (ferror(out))
		err = -EIO;
	if (fclose(out) && !err)
		err = -errno;
	return err;
}
