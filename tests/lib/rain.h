/* SPDX-License-Identifier: MIT */
/* Signals all the time, with a handler that makes system calls return EINTR. */
#ifndef TEST_RAIN_H
#define TEST_RAIN_H

/*
 * Repeats calls(arg) under a timer of one millisecond until so many signals have come, however fast
 * or slow the calls are; fails when as many as `rounds_at_most` of them were not enough.
 */
void in_the_rain(void (*calls)(void *arg), void *arg, int signals, int rounds_at_most);

#endif
