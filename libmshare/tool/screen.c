/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The other screen that terminals have, so that what was shown before is there again afterwards. */
#define ENTER "\033[?1049h\033[?25l\033[?7l" /* no cursor; lines that are too long are cut */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT };

static void say(const char *sequence)
{
	fputs(sequence, stdout);
	fflush(stdout);
}

static void read_size(struct screen *s)
{
	struct winsize size;

	s->rows = 24;
	s->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	s->rows = size.ws_row;
	s->columns = size.ws_col;
}

/* Keys come one by one and are not shown; Ctrl-C and Ctrl-Z are signals still. */
static void enter(struct screen *s)
{
	struct termios raw;

	s->cooked = !tcgetattr(STDIN_FILENO, &s->before);
	if (s->cooked) {
		raw = s->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	say(ENTER);
	read_size(s);
}

static void leave(struct screen *s)
{
	say(LEAVE);
	if (s->cooked)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
}

int screen_open(struct screen *s)
{
	*s = (struct screen){ 0 };
	sigemptyset(&s->signals);
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		sigaddset(&s->signals, watched[i]);
	sigprocmask(SIG_BLOCK, &s->signals, &s->mask_before);
	s->signal_fd = signalfd(-1, &s->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0) {
		int err = -errno;

		sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
		return err;
	}
	enter(s);
	return 0;
}

void screen_close(struct screen *s)
{
	leave(s);
	close(s->signal_fd);
	if (s->ended_by) {
		signal(s->ended_by, SIG_DFL);
		raise(s->ended_by);
	}
	sigprocmask(SIG_SETMASK, &s->mask_before, NULL);
}

/* Whoever is stopped gives the terminal back for that time. */
static void stop(struct screen *s)
{
	leave(s);
	raise(SIGSTOP);
	enter(s);
}

static enum screen_event take_signal(struct screen *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return SCREEN_TIMEOUT;
	switch ((int)info.ssi_signo) {
	case SIGTSTP:
		stop(s);
		return SCREEN_CHANGED;
	case SIGCONT: /* stopped by SIGSTOP, which nobody is told; the shell has set the terminal */
		leave(s);
		enter(s);
		return SCREEN_CHANGED;
	case SIGWINCH:
		read_size(s);
		return SCREEN_CHANGED;
	default:
		s->ended_by = (int)info.ssi_signo;
		return SCREEN_ENDED;
	}
}

/* The first key of the input, taken out of it. Sequences that mean nothing here are 0. */
static int take_key(struct screen *s)
{
	size_t length = 1;
	int key = (unsigned char)s->input[0];

	if (s->input_size >= 3 && key == '\033' && strchr("[O", s->input[1])) {
		length = 3;
		while (length < s->input_size && s->input[length - 1] < '@')
			length++;
		key = s->input[length - 1] == 'A'   ? KEY_UP
		      : s->input[length - 1] == 'B' ? KEY_DOWN
						    : 0;
	}
	s->input_size -= length;
	memmove(s->input, s->input + length, s->input_size);
	return key;
}

enum screen_event screen_wait(struct screen *s, int timeout_ms, int *key)
{
	struct pollfd files[] = { { .fd = s->signal_fd, .events = POLLIN },
				  { .fd = s->cooked ? STDIN_FILENO : -1, .events = POLLIN } };
	ssize_t got;

	if (!s->input_size) {
		if (poll(files, 2, timeout_ms) <= 0)
			return SCREEN_TIMEOUT;
		if (files[0].revents)
			return take_signal(s);
		got = read(STDIN_FILENO, s->input, sizeof(s->input));
		if (got <= 0)
			return got < 0 && errno == EINTR ? SCREEN_TIMEOUT : SCREEN_ENDED;
		s->input_size = (size_t)got;
	}
	*key = take_key(s);
	return SCREEN_KEY;
}

void screen_begin(FILE *out)
{
	fputs("\033[H", out);
}

void screen_line(FILE *out)
{
	fputs("\033[K\r\n", out);
}

void screen_end(FILE *out)
{
	fputs("\033[J", out);
}
