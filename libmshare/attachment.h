/* SPDX-License-Identifier: MIT */
/*
 * What this process has attached: a search tree by address for all regions, and a list per region.
 * All calls take state_lock() themselves.
 */
#ifndef MSHARE_ATTACHMENT_H
#define MSHARE_ATTACHMENT_H

#include "region.h"

/*
 * Records a, which the tree then owns. Records that overlap it are of mappings that somebody
 * unmapped by hand: they are dropped. 0 or -ENOMEM.
 */
must_check int attachment_add(struct attachment *a);

/* Removes and returns the record of exactly this attachment of r; NULL if there is none. */
must_check struct attachment *attachment_take(struct region *r, void *addr, size_t len);

/* Forgets everything r has attached; the mappings stay. */
void attachment_forget_all(struct region *r);

/* A copy of r's records for use without the lock, to be freed; the number of records, or -ENOMEM.
 */
must_check long attachment_copy(struct region *r, struct attachment **out);

#endif
