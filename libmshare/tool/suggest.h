/* SPDX-License-Identifier: MIT */
#ifndef MSHARE_SUGGEST_H
#define MSHARE_SUGGEST_H

#include <stddef.h>

/* The name that word most likely stands for; NULL if none is near. */
const char *suggest_nearest(const char *word, const char *const *names, size_t count);

#endif
