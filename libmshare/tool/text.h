/* SPDX-License-Identifier: MIT */
/* Names of files may hold any byte: what of them can be printed. */
#ifndef MSHARE_TEXT_H
#define MSHARE_TEXT_H

#include <stdio.h>

/* Valid UTF-8, as JSON and Prometheus want it: U+FFFD for each byte that is not. For free(3); NULL:
 * no memory. */
char *text_utf8(const char *bytes);

/* On a terminal: at most this many columns (-1: all of it), "?" for what would be a command. */
void text_print(FILE *out, const char *bytes, int columns);

#endif
