/* SPDX-License-Identifier: MIT */
#include "census-json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "text.h"
#include "tool.h"

struct json_object *json_text(const char *bytes)
{
	char *text = bytes ? text_utf8(bytes) : NULL;
	struct json_object *o = text ? json_object_new_string(text) : NULL;

	free(text);
	return o;
}

static struct json_object *json_rate(double rate)
{
	return rate < 0 ? NULL : json_object_new_double(rate);
}

static void add_figures(struct json_object *o, const struct census_region *r)
{
	char key[64];

	for (int f = 0; f < FIGURE_COUNT; f++)
		json_object_object_add(o, figure_info[f].key, tool_json_limit(r->figures[f]));
	for (int f = 0; f < FIGURE_COUNT; f++) {
		if (!figure_info[f].counter)
			continue;
		snprintf(key, sizeof(key), "%s_per_second", figure_info[f].key);
		json_object_object_add(o, key, json_rate(r->rates[f]));
	}
}

static struct json_object *region_json(const struct census_region *r)
{
	struct json_object *o = json_object_new_object();
	char device[32];

	snprintf(device, sizeof(device), "%x:%x", major(r->dev), minor(r->dev));
	json_object_object_add(o, "name", json_text(r->name));
	json_object_object_add(o, "path", json_text(r->path));
	json_object_object_add(o, "device", json_object_new_string(device));
	json_object_object_add(o, "inode", json_object_new_uint64(r->ino));
	json_object_object_add(o, "memory", json_text(census_memory(r)));
	json_object_object_add(o, "backend", json_text(census_backend(r)));
	json_object_object_add(o, "command", json_text(r->command[0] ? r->command : NULL));
	json_object_object_add(o, "host", json_object_new_boolean(r->host));
	add_figures(o, r);
	return o;
}

static const char *module_state(const struct census *c)
{
	if (!c->module)
		return "loaded";
	return c->module == -ENOSYS ? "not loaded" : "not accessible";
}

struct json_object *census_json(const struct census *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *regions = json_object_new_array();

	json_object_object_add(o, "time", json_object_new_double(c->time));
	json_object_object_add(o, "interval", json_rate(c->since));
	json_object_object_add(o, "module", json_object_new_string(module_state(c)));
	json_object_object_add(o, "processes", json_object_new_uint64(c->processes));
	json_object_object_add(o, "processes_unread", json_object_new_uint64(c->unread));
	json_object_object_add(o, "directories_unread", json_object_new_uint64(c->unread_dirs));
	for (size_t i = 0; i < c->count; i++)
		json_object_array_add(regions, region_json(&c->list[i]));
	json_object_object_add(o, "regions", regions);
	return o;
}
