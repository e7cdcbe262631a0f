/* SPDX-License-Identifier: MIT */
/*
 * Who becomes the parent of a process that this one leaves behind. No init: a program that is
 * process 1 of a container takes it for a child that it has forgotten. PostgreSQL makes its memory
 * anew when such a child dies of a signal; others keep a zombie for each.
 */
#ifndef MSHARE_ORPHANS_H
#define MSHARE_ORPHANS_H

#include <stdbool.h>

/* This process, or process 1 of the same program. What else is a child subreaper cannot be seen. */
bool orphans_stay_here(void);

#endif
