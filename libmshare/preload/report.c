/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "settings.h"

/* One write(2) of at most this much: lines of several processes do not mix. */
struct line {
	size_t used;
	char text[1024];
};

print_format(2, 3) static void add(struct line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->used;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->text + l->used, room, fmt, args);
	va_end(args);
	if (n > 0)
		l->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* Left for what follows a string: names, numbers, and the end of the line. */
#define REST 512

/* A JSON string: quotes, backslashes, and what is not ASCII escaped, byte by byte. The last one of
 * a line has more room. What does not fit is cut off, so that the line stays whole. */
static void add_string(struct line *l, const char *name, const char *text)
{
	const size_t end =
		sizeof(l->text) - (strcmp(name, "reason") ? REST : sizeof("\\u0000\"}\n"));

	add(l, ", \"%s\": \"", name);
	for (; *text && l->used < end; text++) {
		if (*text == '"' || *text == '\\')
			add(l, "\\%c", *text);
		else if (*text < ' ' || *text > '~')
			add(l, "\\u%04x", (unsigned char)*text);
		else
			add(l, "%c", *text);
	}
	add(l, "\"");
}

static const char *event_of(const struct report_entry *e)
{
	if (e->ended)
		return "ended";
	return e->backend ? "converted" : "left";
}

static void add_pages(struct line *l, const struct report_entry *e)
{
	if (!e->ended)
		add(l, ", \"page_size\": %llu, \"shared_tables\": %s",
		    (unsigned long long)e->page_size, e->shared_tables ? "true" : "false");
	else if (e->huge_err)
		add(l, ", \"huge_bytes\": null");
	else
		add(l, ", \"huge_bytes\": %llu", (unsigned long long)e->huge_bytes);
}

static void in_json(struct line *l, const struct report_entry *e)
{
	add(l, "{\"pid\": %d", (int)raw_getpid());
	add_string(l, "program", settings.program);
	add_string(l, "event", event_of(e));
	add_string(l, "kind", e->kind);
	add(l, ", \"size\": %zu", e->len);
	if (e->addr)
		add(l, ", \"address\": %llu", (unsigned long long)(uintptr_t)e->addr);
	if (e->err)
		add_string(l, "error", strerrordesc_np(-e->err));
	if (e->backend)
		add_string(l, "backend", e->backend);
	if (e->backend)
		add_pages(l, e);
	add_string(l, "reason", e->reason);
	add(l, "}\n");
}

static void add_result(struct line *l, const struct report_entry *e)
{
	char size[SIZE_TEXT];

	if (e->ended && e->huge_err)
		add(l, ": %s, ended with an unknown part in huge pages", e->backend);
	else if (e->ended)
		add(l, ": %s, ended with %s in huge pages", e->backend,
		    size_text(e->huge_bytes, size));
	else if (e->backend)
		add(l, ": %s, pages of %s%s", e->backend, size_text(e->page_size, size),
		    e->shared_tables ? ", shared tables" : "");
	else
		add(l, ": left as it is");
}

static void in_words(struct line *l, const struct report_entry *e)
{
	char size[SIZE_TEXT];

	add(l, "%s[%d]: %s, %s", settings.program, (int)raw_getpid(), size_text(e->len, size),
	    e->kind);
	if (e->addr)
		add(l, " at %p", e->addr);
	add_result(l, e);
	if (e->err)
		add(l, ", failed (%s)", strerrordesc_np(-e->err));
	if (e->reason[0])
		add(l, ": %s", e->reason);
	if (l->used == sizeof(l->text) - 1)
		l->used--;
	add(l, "\n");
}

void report(const struct report_entry *e)
{
	struct line l = { 0 };

	if (!settings.report)
		return;
	if (settings.json)
		in_json(&l, e);
	else
		in_words(&l, e);
	if (raw_append(settings.report, l.text, l.used))
		debug("the report %s cannot be written", settings.report);
}
