/* SPDX-License-Identifier: MIT */
#include "settings.h"

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

	return ops ? ops->id : MSHARE_BACKEND_NONE;
}

void settings_read(void)
{
	const char *report = sys_getenv(RUN_REPORT);

	settings.backend = backend();
	settings.require_shared = is_on(RUN_REQUIRE);
	settings.populate = is_on(RUN_POPULATE);
	settings.json = is_on(RUN_REPORT_JSON);
	settings.report = report && report[0] == '/' ? report : NULL;
	settings.min_size = min_size();
}
