/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the ABI with input that is right, to be made wrong in one place. This process
 * hosts a file: CREATE for it is EEXIST, all others work. DETACH is for who is attached, and not
 * here.
 */
#ifndef TEST_OPERATIONS_H
#define TEST_OPERATIONS_H

#include "object.h"
#include "view.h"

#define OPERATIONS_SIZE (4 * SLOT)
#define BOTH (MSHARE_VIEW_READ | MSHARE_VIEW_WRITE)

/* The largest struct that is accepted, and what begins each that is about a file. */
union argument {
	uint32_t size;
	struct {
		uint32_t size, flags;
		int32_t fd;
		uint32_t prot;
	} file;
	struct mshare_ctl_query query;
	struct mshare_ctl_create create;
	struct mshare_ctl_attach attach;
	struct mshare_ctl_detach detach;
	struct mshare_ctl_flush flush;
	struct mshare_ctl_wait wait;
	struct mshare_ctl_ask ask;
	struct mshare_ctl_next next;
	struct mshare_ctl_answer answer;
	struct mshare_ctl_part part;
	char bytes[4096];
};

/* An operation with input that is right, and what it answers to that. */
struct operation {
	unsigned long command;
	size_t size;
	bool has_file;
	int answer;
	union argument valid;
};

enum operation_id { QUERY, CREATE, ATTACH, FLUSH, WAIT, ASK, NEXT, ANSWER, PART, OPERATIONS };

struct operations {
	int device;
	int fd;
	struct mapping own;
	struct operation all[OPERATIONS];
	char *room; /* a page, and one that cannot be read */
};
extern struct operations operations;

/* Setup and teardown of a case. */
int operations_begin(void **state);
int operations_end(void **state);
#define OPERATIONS_CASE(name)                                                                      \
	cmocka_unit_test_setup_teardown(name, operations_begin, operations_end)

/* 0 or -errno; a descriptor that ATTACH gives is closed. */
int operation_call(unsigned long command, void *argument);
/* The same, which must be `answer`. */
void operation_answers(const struct operation *op, const union argument *argument, int answer);

typedef void operation_check(const struct operation *op);
void operations_each(operation_check *what);
/* Those that are about a file, which have union argument's file. */
void operations_each_with_file(operation_check *what);

#endif
