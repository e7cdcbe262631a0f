/* SPDX-License-Identifier: MIT */
/* What processors have done for each other, as the kernel counts it. */
#ifndef TEST_INTERRUPTS_H
#define TEST_INTERRUPTS_H

#include <stdint.h>

/*
 * Interrupts by which one processor made another one run a function or flush its TLB, since the
 * machine was started, of all processors.
 */
uint64_t interrupts_between_cpus(void);

#endif
