/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

/*
 * Big enough for two paths and some numbers. Per thread, so no lock and nothing to free. A sentence
 * is published only when its failure leaves the library: what a fallback overcame is nobody's last
 * error.
 */
static _Thread_local char message[512];
static _Thread_local char published[512];

int fail(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	debug("%s", message);
	return err;
}

const char *fail_reason(void)
{
	return message;
}

void fail_publish(void)
{
	snprintf(published, sizeof(published), "%s", message);
}

const char *fail_message(void)
{
	return published;
}

void debug(const char *fmt, ...)
{
	char line[600];
	va_list args;

	if (!sys_getenv("MSHARE_DEBUG"))
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fprintf(stderr, "libmshare: %s\n", line);
}

const char *size_text(uint64_t bytes, char *buf)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = { { GIB, "GiB" }, { MIB, "MiB" }, { KIB, "KiB" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (bytes && is_multiple(bytes, units[i].unit)) {
			snprintf(buf, SIZE_TEXT, "%llu %s",
				 (unsigned long long)(bytes / units[i].unit), units[i].name);
			return buf;
		}
	}
	snprintf(buf, SIZE_TEXT, "%llu bytes", (unsigned long long)bytes);
	return buf;
}
