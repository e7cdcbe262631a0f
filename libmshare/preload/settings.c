/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

struct settings settings = { .min_size = SIZE_MAX };

static bool is_on(const char *name)
{
	const char *value = sys_getenv(name);

	return value && !strcmp(value, "1");
}

static size_t min_size(void)
{
	const char *text = sys_getenv(RUN_MIN_SIZE);
	unsigned long long size = text ? strtoull(text, NULL, 10) : 0;

	return size ? size : RUN_DEFAULT_MIN_SIZE;
}

static enum mshare_backend backend(void)
{
	const char *name = sys_getenv(RUN_BACKEND);
	const struct backend_ops *ops = name ? backend_by_name(name) : NULL;

	settings.backend_unknown = name && name[0] && strcmp(name, "auto") && !ops;
	return ops ? ops->id : MSHARE_BACKEND_NONE;
}

/*
 * Programs write their title over the arguments and the environment that they were started with:
 * what is read later is copied.
 */
static const char *report_path(void)
{
	static char path[PATH_MAX];
	const char *report = sys_getenv(RUN_REPORT);

	if (!report || report[0] != '/' ||
	    snprintf(path, sizeof(path), "%s", report) >= (int)sizeof(path))
		return NULL;
	return path;
}

void settings_read(void)
{
	settings.backend = backend();
	settings.require_shared = is_on(RUN_REQUIRE);
	settings.populate = is_on(RUN_POPULATE);
	settings.json = is_on(RUN_REPORT_JSON);
	settings.report = report_path();
	snprintf(settings.program, sizeof(settings.program), "%s", program_invocation_short_name);
	settings.min_size = min_size();
}
