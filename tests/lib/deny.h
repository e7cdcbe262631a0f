/* SPDX-License-Identifier: MIT */
/*
 * Kernels and sandboxes that refuse something, made by a seccomp filter. It stays for the rest of
 * the process: use it in a child.
 */
#ifndef TEST_DENY_H
#define TEST_DENY_H

#include <stdint.h>

/* The system call answers -err. */
void deny_call(int number, int err);

/* It answers -err when argument `arg` (0 to 5), masked, equals value (low 32 bits). */
void deny_call_with(int number, unsigned int arg, uint32_t mask, uint32_t value, int err);

void deny_hugetlb(void); /* memory in reserved huge pages: as without CONFIG_HUGETLBFS */
void deny_thp(void); /* transparent huge pages: as without CONFIG_TRANSPARENT_HUGEPAGE */
void deny_shim(void); /* the kernel module, where it is loaded: a device that is not ours */
void deny_io_uring(void); /* as container runtimes do */

#endif
