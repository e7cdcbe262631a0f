/* SPDX-License-Identifier: MIT */
/* What the parts of a range of this process's address space allow, as the kernel has it. */
#ifndef MSHARE_HOST_RIGHTS_H
#define MSHARE_HOST_RIGHTS_H

#include "util.h"

struct right {
	uintptr_t start;
	uintptr_t end;
	int prot;
};

/* The parts of [addr, addr+len) in order, to be freed; their number, or -errno. */
must_check long rights_of(const void *addr, size_t len, struct right **out);

#endif
