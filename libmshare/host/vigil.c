/* SPDX-License-Identifier: MIT */
#include "vigil.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "host.h"

/* A signal may come before the wait that it is to end: it comes again. */
#define AGAIN_MS 100

static timer_t timer;

static void on_time(int number)
{
	(void)number;
}

int vigil_start(void)
{
	const struct sigaction action = { .sa_handler = on_time };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	int err = (int)sys_result(sigaction(SIGALRM, &action, NULL));

	return err ? err : (int)sys_result(timer_create(CLOCK_MONOTONIC, &event, &timer));
}

static struct timespec time_of(uint64_t ms)
{
	return (struct timespec){ (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
}

static int set_timer(uint64_t ms)
{
	const struct itimerspec spec = { .it_value = time_of(ms),
					 .it_interval = time_of(ms ? AGAIN_MS : 0) };

	return (int)sys_result(timer_settime(timer, 0, &spec, NULL));
}

int vigil_keep(int lock_fd, uint64_t ms)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = PRESENCE_BYTE, .l_len = 1
	};
	int err = set_timer(ms ? ms : 1);
	int end;

	if (err)
		return err;
	err = (int)sys_result(fcntl(lock_fd, F_OFD_SETLKW, &lock));
	if (!err)
		err = sys_ofd_unlock(lock_fd, PRESENCE_BYTE);
	end = set_timer(0);
	if (err && err != -EINTR)
		return err;
	return end;
}
