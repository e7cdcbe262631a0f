/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "check.h"

bool kernel_is_before(unsigned int major, unsigned int minor)
{
	unsigned int its_major = 0, its_minor = 0;
	struct utsname name;

	check(uname(&name) == 0);
	check(sscanf(name.release, "%u.%u", &its_major, &its_minor) == 2);
	return its_major < major || (its_major == major && its_minor < minor);
}

/* Kernels that have kmemleak have the rest as well: tests/guest/debug.config. */
size_t kernel_can_do(size_t many, size_t few)
{
	return access("/sys/kernel/debug/kmemleak", F_OK) == 0 ? few : many;
}
