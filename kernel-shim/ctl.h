/* SPDX-License-Identifier: MIT */
/* The user side of include/mshare/abi.h: the only place of the library that talks to the module. */
#ifndef MSHARE_CTL_H
#define MSHARE_CTL_H

#include "util.h"

/* A descriptor of the device. -ENOSYS: this kernel has no module loaded; -EACCES, -EMFILE, ... */
must_check int ctl_open(void);

/* One operation: MSHARE_CTL_*, with its struct. The result, or -errno as abi.h says. */
must_check int mshare_ctl(int device, unsigned long operation, void *argument);

#endif
