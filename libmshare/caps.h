/* SPDX-License-Identifier: MIT */
/* Capabilities of the process: caps.c with libcap, caps-none.c without. */
#ifndef MSHARE_CAPS_H
#define MSHARE_CAPS_H

#include "util.h"

/* Whether CAP_IPC_LOCK is effective (locks and SysV huge pages without limit). */
bool caps_ipc_lock(void);

/* Gives up every capability, for good, in all sets including bounding and ambient. 0 or -errno. */
must_check int caps_drop_all(void);

#endif
