/* SPDX-License-Identifier: MIT */
#include "library-of.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

const char *library_of(const void *code)
{
	struct dl_find_object found;

	return _dl_find_object((void *)code, &found) ? NULL : found.dlfo_link_map->l_name;
}
