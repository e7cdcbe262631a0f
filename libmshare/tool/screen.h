/* SPDX-License-Identifier: MIT */
/*
 * A terminal that is redrawn. The few sequences that this takes are the same in every terminal that
 * is still in use, so they are written here rather than looked up by a library.
 */
#ifndef MSHARE_SCREEN_H
#define MSHARE_SCREEN_H

#include <signal.h>
#include <stdio.h>
#include <termios.h>

#include "util.h"

enum key { KEY_UP = 256, KEY_DOWN };

enum screen_event {
	SCREEN_TIMEOUT,
	SCREEN_KEY,
	SCREEN_CHANGED, /* its size, or its contents are lost */
	SCREEN_ENDED, /* by a signal, or there is no terminal any more */
};

struct screen {
	struct termios before;
	bool cooked; /* `before` is valid: there is a keyboard */
	sigset_t signals, mask_before;
	int signal_fd;
	int ended_by; /* the signal; 0 */
	int rows, columns;
	char input[32];
	size_t input_size;
};

/* Takes the terminal over. 0 or -errno. */
must_check int screen_open(struct screen *s);

/* As it was before. Does not return if a signal has ended us: the process dies of that signal. */
void screen_close(struct screen *s);

/* The next thing that happens; *key: a character, or enum key. */
enum screen_event screen_wait(struct screen *s, int timeout_ms, int *key);

/* Between these, lines are written to `out`; each must be ended by screen_line(). */
void screen_begin(FILE *out);
void screen_line(FILE *out);
void screen_end(FILE *out);

#endif
