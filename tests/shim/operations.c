/* SPDX-License-Identifier: MIT */
#include "operations.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct operations operations;

static void describe_for_all(struct operations *f)
{
	f->all[QUERY] = (struct operation){
		MSHARE_CTL_QUERY,
		sizeof(struct mshare_ctl_query),
		true,
		0,
		{ .query = { .size = sizeof(struct mshare_ctl_query), .fd = f->fd, .prot = BOTH } },
	};
	f->all[CREATE] = (struct operation){
		MSHARE_CTL_CREATE,
		sizeof(struct mshare_ctl_create),
		true,
		-EEXIST,
		{ .create = { sizeof(struct mshare_ctl_create), 0, f->fd, BOTH,
			      (uintptr_t)f->own.at, OPERATIONS_SIZE } },
	};
	f->all[ATTACH] = (struct operation){
		MSHARE_CTL_ATTACH,
		sizeof(struct mshare_ctl_attach),
		true,
		0,
		{ .attach = { sizeof(struct mshare_ctl_attach), 0, f->fd, BOTH } },
	};
	f->all[FLUSH] = (struct operation){
		MSHARE_CTL_FLUSH,
		sizeof(struct mshare_ctl_flush),
		true,
		0,
		{ .flush = { sizeof(struct mshare_ctl_flush), 0, f->fd, BOTH, 0, SLOT } },
	};
}

static void describe_for_hosts(struct operations *f)
{
	f->all[WAIT] = (struct operation){
		MSHARE_CTL_WAIT,
		sizeof(struct mshare_ctl_wait),
		false,
		0,
		{ .wait = { sizeof(struct mshare_ctl_wait), 0, 0, 0 } },
	};
	/* Nobody answers, and nobody has asked. */
	f->all[ASK] = (struct operation){
		MSHARE_CTL_ASK,
		sizeof(struct mshare_ctl_ask),
		true,
		-ETIMEDOUT,
		{ .ask = { .size = sizeof(struct mshare_ctl_ask),
			   .fd = f->fd,
			   .prot = BOTH,
			   .operation = MSHARE_ASK_ADVISE,
			   .len = SLOT,
			   .timeout_ms = 1 } },
	};
	f->all[NEXT] = (struct operation){
		MSHARE_CTL_NEXT,
		sizeof(struct mshare_ctl_next),
		false,
		0,
		{ .next = { .size = sizeof(struct mshare_ctl_next) } },
	};
	f->all[ANSWER] = (struct operation){
		MSHARE_CTL_ANSWER,
		sizeof(struct mshare_ctl_answer),
		false,
		-ENOENT,
		{ .answer = { .size = sizeof(struct mshare_ctl_answer), .id = 1 } },
	};
	f->all[PART] = (struct operation){
		MSHARE_CTL_PART,
		sizeof(struct mshare_ctl_part),
		false,
		-ENOENT,
		{ .part = { .size = sizeof(struct mshare_ctl_part), .id = 1 } },
	};
}

int operations_begin(void **state)
{
	struct operations *f = &operations;

	(void)state;
	f->device = device_open();
	f->fd = memory_file(OPERATIONS_SIZE);
	f->own = (struct mapping){ map_plain(f->fd, OPERATIONS_SIZE, READ_WRITE), OPERATIONS_SIZE,
				   f->fd };
	check_equal(view_create(f->device, f->fd, &f->own, READ_WRITE), 0);
	f->room = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(f->room != MAP_FAILED && mprotect(f->room + PAGE, PAGE, PROT_NONE) == 0);
	describe_for_all(f);
	describe_for_hosts(f);
	return 0;
}

int operations_end(void **state)
{
	struct operations *f = &operations;

	(void)state;
	check_equal(view_query(f->fd, READ_WRITE).links, 0);
	close(f->device);
	munmap(f->own.at, OPERATIONS_SIZE);
	munmap(f->room, 2 * PAGE);
	close(f->fd);
	return 0;
}

int operation_call(unsigned long command, void *argument)
{
	int ret = ioctl(operations.device, command, argument);

	if (ret < 0)
		return -errno;
	if (command == MSHARE_CTL_ATTACH)
		close(ret);
	return command == MSHARE_CTL_ATTACH ? 0 : ret;
}

void operation_answers(const struct operation *op, const union argument *argument, int answer)
{
	union argument copy = *argument;
	int got = operation_call(op->command, &copy);

	if (got != answer)
		fprintf(stderr, "operation %lu, size %u:\n", _IOC_NR(op->command), argument->size);
	check_equal(got, answer);
}

void operations_each(operation_check *what)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		what(&operations.all[i]);
}

void operations_each_with_file(operation_check *what)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		if (operations.all[i].has_file)
			what(&operations.all[i]);
}
