/* SPDX-License-Identifier: MIT */
#include "library-of.h"

#include <dlfcn.h>
#include <stddef.h>

const char *library_of(const void *code)
{
	Dl_info library;

	return dladdr(code, &library) ? library.dli_fname : NULL;
}
