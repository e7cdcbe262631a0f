/* SPDX-License-Identifier: MIT */
/* Names of regions and of what the library calls by number. */
#ifndef MSHARE_NAMES_H
#define MSHARE_NAMES_H

#include <stdint.h>

/* Longer than any valid name, so that the library sees, and refuses, one that is too long. */
#define REGION_NAME_SIZE 512

/* The name with its leading slash, which people leave out: they may. Returns typed or buf. */
const char *region_name(const char *typed, char *buf);

const char *backend_name(uint32_t backend);
const char *pages_name(uint32_t pages);

#endif
