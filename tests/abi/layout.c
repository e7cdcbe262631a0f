/* SPDX-License-Identifier: MIT */
/*
 * The binary interface of 64-bit machines as numbers. They never change; a struct may only grow at
 * its end, and then its size is the one number that changes here.
 */
#include <mshare.h>

#include "layout.h"

CHECK("64-bit offsets", sizeof(off_t), 8);

SIZE(mshare_attr, 32);
FIELD(mshare_attr, size, 0, 8);
FIELD(mshare_attr, flags, 8, 8);
FIELD(mshare_attr, prefer, 16, 4);
FIELD(mshare_attr, require, 20, 4);
FIELD(mshare_attr, align, 24, 4);
FIELD(mshare_attr, mode, 28, 4);

SIZE(mshare_image_attr, 40);
FIELD(mshare_image_attr, size, 0, 8);
FIELD(mshare_image_attr, flags, 8, 8);
FIELD(mshare_image_attr, depth, 16, 4);
FIELD(mshare_image_attr, mode, 20, 4);
FIELD(mshare_image_attr, progress, 24, 8);
FIELD(mshare_image_attr, arg, 32, 8);

SIZE(mshare_stat, 392);
FIELD(mshare_stat, size, 0, 8);
FIELD(mshare_stat, want, 8, 8);
FIELD(mshare_stat, valid, 16, 8);
FIELD(mshare_stat, region_size, 24, 8);
FIELD(mshare_stat, used, 32, 8);
FIELD(mshare_stat, page_size, 40, 8);
FIELD(mshare_stat, grid, 48, 8);
FIELD(mshare_stat, alignment, 56, 8);
FIELD(mshare_stat, attachments, 64, 8);
FIELD(mshare_stat, flushes, 72, 8);
FIELD(mshare_stat, attachers, 80, 8);
FIELD(mshare_stat, table_bytes, 88, 8);
FIELD(mshare_stat, huge_bytes, 96, 8);
FIELD(mshare_stat, faults, 104, 8);
FIELD(mshare_stat, links, 112, 8);
FIELD(mshare_stat, backend, 120, 4);
FIELD(mshare_stat, pages, 124, 4);
FIELD(mshare_stat, flags, 128, 4);
FIELD(mshare_stat, host_pid, 132, 4);
FIELD(mshare_stat, reason, 136, 256);

SIZE(mshare_backend_caps, 256);
FIELD(mshare_backend_caps, page_size, 0, 8);
FIELD(mshare_backend_caps, error, 8, 4);
FIELD(mshare_backend_caps, reserved, 12, 4);
FIELD(mshare_backend_caps, reason, 16, 240);

SIZE(mshare_caps, 1336);
FIELD(mshare_caps, size, 0, 8);
FIELD(mshare_caps, features, 8, 8);
FIELD(mshare_caps, base_size, 16, 8);
FIELD(mshare_caps, pmd_size, 24, 8);
FIELD(mshare_caps, pud_size, 32, 8);
FIELD(mshare_caps, memlock_limit, 40, 8);
FIELD(mshare_caps, shm_free, 48, 8);
FIELD(mshare_caps, backend, 56, 1280);

VALUE(MSHARE_PAGES_AUTO, 0);
VALUE(MSHARE_PAGES_BASE, 1);
VALUE(MSHARE_PAGES_THP, 2);
VALUE(MSHARE_PAGES_PMD, 3);
VALUE(MSHARE_PAGES_PUD, 4);
VALUE(MSHARE_ALIGN_AUTO, 0);
VALUE(MSHARE_ALIGN_BASE, 1);
VALUE(MSHARE_ALIGN_PMD, 2);
VALUE(MSHARE_ALIGN_PUD, 3);
VALUE(MSHARE_BACKEND_NONE, 0);
VALUE(MSHARE_BACKEND_PLAIN, 1);
VALUE(MSHARE_BACKEND_THP, 2);
VALUE(MSHARE_BACKEND_HUGETLB, 3);
VALUE(MSHARE_BACKEND_SHIM, 4);
VALUE(MSHARE_BACKEND_COUNT, 5);

VALUE(MSHARE_REQUIRE_SHARED_TABLES, 0x1);
VALUE(MSHARE_NORESERVE, 0x2);
VALUE(MSHARE_FIXED, 0x1);
VALUE(MSHARE_POPULATE, 0x2);
VALUE(MSHARE_SAME_ADDR, 0x4);
VALUE(MSHARE_FLUSH_DATA, 0x1);
VALUE(MSHARE_FLUSH_TLB, 0x2);
VALUE(MSHARE_FLUSH_DISCARD, 0x4);
VALUE(MSHARE_STAT_ATTACHERS, 0x1);
VALUE(MSHARE_STAT_TABLES, 0x2);
VALUE(MSHARE_STAT_F_TRUNCATED, 0x01);
VALUE(MSHARE_STAT_F_READ_ONLY, 0x02);
VALUE(MSHARE_STAT_F_SHARED_TABLES, 0x04);
VALUE(MSHARE_STAT_F_HOST, 0x08);
VALUE(MSHARE_STAT_F_IO_URING, 0x10);
VALUE(MSHARE_STAT_F_DIRECT, 0x20);
VALUE(MSHARE_STAT_F_PARTS, 0x40);
VALUE(MSHARE_STAT_F_REGISTERED, 0x80);
VALUE(MSHARE_IMAGE_CACHED, 0x1);
VALUE(MSHARE_IMAGE_CHECK, 0x2);
VALUE(MSHARE_CAP_THP_FAULT, 0x01);
VALUE(MSHARE_CAP_THP_COLLAPSE, 0x02);
VALUE(MSHARE_CAP_HUGE_PMD, 0x04);
VALUE(MSHARE_CAP_HUGE_PUD, 0x08);
VALUE(MSHARE_CAP_HOST, 0x10);
VALUE(MSHARE_CAP_IO_URING, 0x20);
VALUE(MSHARE_CAP_IPC_LOCK, 0x40);
VALUE(MSHARE_CAP_SHM, 0x80);
VALUE(MSHARE_ADVICE_WILLNEED, 1);
VALUE(MSHARE_ADVICE_POPULATE, 2);
VALUE(MSHARE_ADVICE_COLLAPSE, 3);
VALUE(MSHARE_ADVICE_DISCARD, 4);
VALUE(MSHARE_ADVICE_COLD, 5);
VALUE(MSHARE_ADVICE_PAGEOUT, 6);
VALUE(MSHARE_ADVICE_HUGEPAGE, 7);
VALUE(MSHARE_ADVICE_NOHUGEPAGE, 8);
VALUE(MSHARE_ADVICE_DONTDUMP, 9);
VALUE(MSHARE_ADVICE_DODUMP, 10);
