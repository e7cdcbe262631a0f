/* SPDX-License-Identifier: MIT */
/* mshare top on a terminal: it takes it over, and gives it back however it ends. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "members.h"
#include "tool.h"

#define OTHER_SCREEN "\033[?1049h"
#define OLD_SCREEN "\033[?1049l"
#define CURSOR_ON "\033[?25h"
#define CURSOR_OFF "\033[?25l"
#define PATIENCE 60000 /* milliseconds until a top that shows nothing has failed */

static const char *path;

struct terminal {
	int fd;
	pid_t pid;
	struct termios before;
	char shown[1 << 18]; /* since the last wait */
	size_t size;
	bool coloured; /* something has been, of what was forgotten */
};
static struct terminal term;

/* Waits until this has been shown; what came before it is forgotten. */
static void wait_for(const char *text)
{
	struct pollfd file = { .fd = term.fd, .events = POLLIN };
	char *found;

	while (!(found = memmem(term.shown, term.size, text, strlen(text)))) {
		ssize_t got = -1;

		if (poll(&file, 1, PATIENCE) == 1)
			got = read(term.fd, term.shown + term.size, sizeof(term.shown) - term.size);
		if (got <= 0)
			fail_msg("no \"%s\" in %.*s", text, (int)term.size, term.shown);
		term.size += (size_t)got;
	}
	found += strlen(text);
	term.coloured |= memmem(term.shown, (size_t)(found - term.shown), "\033[1m", 4) ||
			 memmem(term.shown, (size_t)(found - term.shown), "\033[32m", 5);
	term.size -= (size_t)(found - term.shown);
	memmove(term.shown, found, term.size);
}

static void resize(unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	assert_int_equal(ioctl(term.fd, TIOCSWINSZ, &size), 0);
}

static void begin(const char *no_color)
{
	struct winsize size = { .ws_row = 24, .ws_col = 120 };

	term.size = 0;
	term.coloured = false;
	term.pid = forkpty(&term.fd, NULL, NULL, &size);
	assert_true(term.pid >= 0);
	if (term.pid == 0) {
		setenv("TERM", "xterm", 1);
		setenv("NO_COLOR", no_color, 1);
		execl(path, "mshare", "top", NULL);
		_exit(127);
	}
	assert_int_equal(tcgetattr(term.fd, &term.before), 0);
	wait_for(OTHER_SCREEN CURSOR_OFF);
	wait_for("mshare top - ");
	wait_for("BACKEND");
}

static void press(const char *keys)
{
	assert_int_equal(write(term.fd, keys, strlen(keys)), strlen(keys));
}

/* The same terminal as before, and nobody left on it: the command leads a group of its own. */
static void check_given_back(void)
{
	struct termios now;
	cpu_set_t unused;

	wait_for(CURSOR_ON);
	wait_for(OLD_SCREEN);
	assert_int_equal(members(term.pid, &unused), 0);
	assert_int_equal(tcgetattr(term.fd, &now), 0);
	assert_int_equal(now.c_lflag, term.before.c_lflag);
	assert_int_equal(now.c_iflag, term.before.c_iflag);
	assert_int_equal(now.c_oflag, term.before.c_oflag);
	close(term.fd);
}

static int status_of(void)
{
	int status;

	assert_int_equal(waitpid(term.pid, &status, 0), term.pid);
	return status;
}

static void q_ends_it(void **state)
{
	struct termios during;

	(void)state;
	begin("");
	assert_int_equal(tcgetattr(term.fd, &during), 0);
	assert_int_equal(during.c_lflag & (ECHO | ICANON), 0);
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
}

static void signals_end_it(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int status;

		begin("");
		assert_int_equal(kill(term.pid, signals[i]), 0);
		status = status_of();
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		check_given_back();
	}
}

static void ctrl_c_ends_it(void **state)
{
	int status;

	(void)state;
	begin("");
	press("\003");
	status = status_of();
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	check_given_back();
}

/* While it is stopped the terminal is the shell's. */
static void stopped_and_continued(void **state)
{
	int status;

	(void)state;
	begin("");
	assert_int_equal(kill(term.pid, SIGTSTP), 0);
	assert_int_equal(waitpid(term.pid, &status, WUNTRACED), term.pid);
	assert_true(WIFSTOPPED(status));
	wait_for(OLD_SCREEN);
	assert_int_equal(kill(term.pid, SIGCONT), 0);
	wait_for(OTHER_SCREEN);
	wait_for("BACKEND");
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
}

/* Columns come and go with the width. */
static void follows_the_size(void **state)
{
	(void)state;
	begin("1");
	wait_for("OWN FAULTS/s  MINOR/s INVAL/s  NAME");
	resize(24, 80);
	wait_for("SAVED FAULTS/s INVAL/s  NAME");
	resize(24, 120);
	wait_for("OWN FAULTS/s  MINOR/s INVAL/s  NAME");
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
}

static void keys_change_things(void **state)
{
	(void)state;
	begin("");
	press("d");
	wait_for("seconds between two looks (now 2)");
	press("7x\177\r");
	wait_for("every 7 s");
	press("h");
	wait_for("another delay");
	press(" ");
	wait_for("BACKEND");
	press("\033[B\033[A>r");
	wait_for("BACKEND");
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
}

/* What of the terminal is controlled is no colour. */
static void no_color_has_no_colour(void **state)
{
	(void)state;
	begin("1");
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
	assert_false(term.coloured);
	begin("");
	press("q");
	assert_int_equal(status_of(), 0);
	check_given_back();
	assert_true(term.coloured);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(q_ends_it),
		cmocka_unit_test(signals_end_it),
		cmocka_unit_test(ctrl_c_ends_it),
		cmocka_unit_test(stopped_and_continued),
		cmocka_unit_test(follows_the_size),
		cmocka_unit_test(keys_change_things),
		cmocka_unit_test(no_color_has_no_colour),
	};

	tool_main(argc, argv);
	path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
