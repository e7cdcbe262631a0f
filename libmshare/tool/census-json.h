/* SPDX-License-Identifier: MIT */
#ifndef MSHARE_CENSUS_JSON_H
#define MSHARE_CENSUS_JSON_H

#include "census.h"

struct json_object;

/* One object with everything; what is not known is null. */
struct json_object *census_json(const struct census *c);

/* A string of any bytes; NULL becomes null. */
struct json_object *json_text(const char *bytes);

#endif
