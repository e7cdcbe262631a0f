/* SPDX-License-Identifier: MIT */
/*
 * The interface of the device as numbers, for 64-bit machines. They never change; a struct may only
 * grow at its end, and then its size and the number of its operation are what changes here.
 */
#include <mshare/abi.h>

#include "layout.h"

SIZE(mshare_ctl_query, 80);
FIELD(mshare_ctl_query, size, 0, 4);
FIELD(mshare_ctl_query, flags, 4, 4);
FIELD(mshare_ctl_query, fd, 8, 4);
FIELD(mshare_ctl_query, prot, 12, 4);
FIELD(mshare_ctl_query, features, 16, 8);
FIELD(mshare_ctl_query, slot_size, 24, 8);
FIELD(mshare_ctl_query, links, 32, 8);
FIELD(mshare_ctl_query, tables, 40, 8);
FIELD(mshare_ctl_query, entries, 48, 8);
FIELD(mshare_ctl_query, faults, 56, 8);
FIELD(mshare_ctl_query, invalidations, 64, 8);
FIELD(mshare_ctl_query, flushes, 72, 8);

SIZE(mshare_ctl_create, 32);
FIELD(mshare_ctl_create, size, 0, 4);
FIELD(mshare_ctl_create, flags, 4, 4);
FIELD(mshare_ctl_create, fd, 8, 4);
FIELD(mshare_ctl_create, prot, 12, 4);
FIELD(mshare_ctl_create, addr, 16, 8);
FIELD(mshare_ctl_create, len, 24, 8);

SIZE(mshare_ctl_attach, 16);
FIELD(mshare_ctl_attach, size, 0, 4);
FIELD(mshare_ctl_attach, flags, 4, 4);
FIELD(mshare_ctl_attach, fd, 8, 4);
FIELD(mshare_ctl_attach, prot, 12, 4);

SIZE(mshare_ctl_detach, 24);
FIELD(mshare_ctl_detach, size, 0, 4);
FIELD(mshare_ctl_detach, flags, 4, 4);
FIELD(mshare_ctl_detach, addr, 8, 8);
FIELD(mshare_ctl_detach, len, 16, 8);

SIZE(mshare_ctl_flush, 32);
FIELD(mshare_ctl_flush, size, 0, 4);
FIELD(mshare_ctl_flush, flags, 4, 4);
FIELD(mshare_ctl_flush, fd, 8, 4);
FIELD(mshare_ctl_flush, prot, 12, 4);
FIELD(mshare_ctl_flush, off, 16, 8);
FIELD(mshare_ctl_flush, len, 24, 8);

SIZE(mshare_ctl_wait, 16);
FIELD(mshare_ctl_wait, size, 0, 4);
FIELD(mshare_ctl_wait, flags, 4, 4);
FIELD(mshare_ctl_wait, linger_ms, 8, 4);
FIELD(mshare_ctl_wait, reserved, 12, 4);

VALUE(MSHARE_VIEW_READ, 0x1);
VALUE(MSHARE_VIEW_WRITE, 0x2);
VALUE(MSHARE_FEATURE_PTE_TABLES, 0x1);
VALUE(MSHARE_FEATURE_READ_VIEWS, 0x2);
VALUE(MSHARE_CTL_MAGIC, 0xB7);
VALUE(MSHARE_CTL_QUERY, 0xc050b700);
VALUE(MSHARE_CTL_CREATE, 0x4020b701);
VALUE(MSHARE_CTL_ATTACH, 0x4010b702);
VALUE(MSHARE_CTL_DETACH, 0x4018b703);
VALUE(MSHARE_CTL_FLUSH, 0x4020b704);
VALUE(MSHARE_CTL_WAIT, 0x4010b705);
