/* SPDX-License-Identifier: MIT */
/*
 * The interface of the device as numbers, for 64-bit machines. They never change; a struct may only
 * grow at its end, and then its size and the number of its operation are what changes here.
 */
#include <mshare/abi.h>

#include "layout.h"

SIZE(mshare_ctl_query, 96);
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
FIELD(mshare_ctl_query, parts, 80, 8);
FIELD(mshare_ctl_query, host, 88, 4);
FIELD(mshare_ctl_query, reserved, 92, 4);

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

SIZE(mshare_ctl_ask, 56);
FIELD(mshare_ctl_ask, size, 0, 4);
FIELD(mshare_ctl_ask, flags, 4, 4);
FIELD(mshare_ctl_ask, fd, 8, 4);
FIELD(mshare_ctl_ask, prot, 12, 4);
FIELD(mshare_ctl_ask, operation, 16, 4);
FIELD(mshare_ctl_ask, argument, 20, 4);
FIELD(mshare_ctl_ask, off, 24, 8);
FIELD(mshare_ctl_ask, len, 32, 8);
FIELD(mshare_ctl_ask, timeout_ms, 40, 4);
FIELD(mshare_ctl_ask, map_fd, 44, 4);
FIELD(mshare_ctl_ask, map_off, 48, 8);

SIZE(mshare_ctl_next, 56);
FIELD(mshare_ctl_next, size, 0, 4);
FIELD(mshare_ctl_next, flags, 4, 4);
FIELD(mshare_ctl_next, linger_ms, 8, 4);
FIELD(mshare_ctl_next, operation, 12, 4);
FIELD(mshare_ctl_next, argument, 16, 4);
FIELD(mshare_ctl_next, reserved, 20, 4);
FIELD(mshare_ctl_next, off, 24, 8);
FIELD(mshare_ctl_next, len, 32, 8);
FIELD(mshare_ctl_next, id, 40, 8);
FIELD(mshare_ctl_next, map_off, 48, 8);

SIZE(mshare_ctl_answer, 24);
FIELD(mshare_ctl_answer, size, 0, 4);
FIELD(mshare_ctl_answer, flags, 4, 4);
FIELD(mshare_ctl_answer, id, 8, 8);
FIELD(mshare_ctl_answer, error, 16, 4);
FIELD(mshare_ctl_answer, reserved, 20, 4);

SIZE(mshare_ctl_part, 16);
FIELD(mshare_ctl_part, size, 0, 4);
FIELD(mshare_ctl_part, flags, 4, 4);
FIELD(mshare_ctl_part, id, 8, 8);

VALUE(MSHARE_VIEW_READ, 0x1);
VALUE(MSHARE_VIEW_WRITE, 0x2);
VALUE(MSHARE_FEATURE_PTE_TABLES, 0x1);
VALUE(MSHARE_FEATURE_READ_VIEWS, 0x2);
VALUE(MSHARE_FEATURE_REQUESTS, 0x4);
VALUE(MSHARE_FEATURE_PARTS, 0x8);
VALUE(MSHARE_FEATURE_DONTDUMP, 0x10);
VALUE(MSHARE_CREATE_REPLACE, 0x1);
VALUE(MSHARE_ASK_PROTECT, 1);
VALUE(MSHARE_ASK_ADVISE, 2);
VALUE(MSHARE_ASK_GROW, 3);
VALUE(MSHARE_ASK_MAP, 4);
VALUE(MSHARE_CTL_MAGIC, 0xB7);
VALUE(MSHARE_CTL_QUERY, 0xc060b700);
VALUE(MSHARE_CTL_CREATE, 0x4020b701);
VALUE(MSHARE_CTL_ATTACH, 0x4010b702);
VALUE(MSHARE_CTL_DETACH, 0x4018b703);
VALUE(MSHARE_CTL_FLUSH, 0x4020b704);
VALUE(MSHARE_CTL_WAIT, 0x4010b705);
VALUE(MSHARE_CTL_ASK, 0x4038b706);
VALUE(MSHARE_CTL_NEXT, 0xc038b707);
VALUE(MSHARE_CTL_ANSWER, 0x4018b708);
VALUE(MSHARE_CTL_PART, 0x4010b709);
