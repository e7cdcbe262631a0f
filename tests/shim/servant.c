/* SPDX-License-Identifier: MIT */
#include "servant.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The host's ends, until it is forked. */
static int host_orders[2], host_answers[2];

void deed_restore(const struct mapping *own)
{
	check(mmap(own->at, own->size, READ_WRITE, MAP_SHARED | MAP_FIXED, own->fd, 0) == own->at);
}

void deed_unmap(const struct mapping *own)
{
	check(munmap(own->at, own->size) == 0);
}

static void answer(const void *word)
{
	check(write(host_answers[1], &word, sizeof(word)) == sizeof(word));
}

/* Orders are addresses of functions, the same here and there. */
static void obey(const struct mapping *own)
{
	host_body *deed;

	close(host_orders[1]);
	close(host_answers[0]);
	answer(own->at);
	while (read(host_orders[0], &deed, sizeof(deed)) == sizeof(deed)) {
		deed(own);
		answer(own->at);
	}
	close(host_orders[0]);
	close(host_answers[1]);
}

static void await_answer(const struct servant *servant, void *word)
{
	ssize_t n;

	do
		n = read(servant->answers, word, sizeof(void *));
	while (n < 0 && errno == EINTR);
	check_equal(n, sizeof(void *));
}

struct scene scene_make_served(int fd, size_t size, struct servant *servant)
{
	struct scene s = { .fd = fd, .size = size };

	check(pipe2(host_orders, O_CLOEXEC) == 0 && pipe2(host_answers, O_CLOEXEC) == 0);
	s.host = host_start_with(fd, size, READ_WRITE, obey);
	close(host_orders[0]);
	close(host_answers[1]);
	servant->orders = host_orders[1];
	servant->answers = host_answers[0];
	await_answer(servant, &servant->at);
	s.at = attach(fd, size, READ_WRITE);
	pages_fill(s.at, size, SCENE_SALT);
	return s;
}

void servant_do(const struct servant *servant, host_body *deed)
{
	void *at;

	check(write(servant->orders, &deed, sizeof(deed)) == sizeof(deed));
	await_answer(servant, &at);
	check(at == servant->at);
}

void servant_dismiss(struct servant *servant)
{
	servant_do(servant, deed_restore);
	close(servant->orders);
	close(servant->answers);
}
