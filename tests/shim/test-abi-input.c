/* SPDX-License-Identifier: MIT */
/*
 * Fields of the ABI's structs, and pointers to them, that are wrong: abi.h says what they answer.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "operations.h"

static void wrong_sizes(const struct operation *op)
{
	const uint32_t small[] = { 0, 1, 4, (uint32_t)op->size - 8, (uint32_t)op->size - 1 };
	const uint32_t large[] = { (uint32_t)op->size + 1, (uint32_t)op->size + 8, 4096 };
	const uint32_t huge[] = { 4097, 1u << 20, INT32_MAX, UINT32_MAX };
	union argument argument = op->valid;

	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		argument.size = small[i];
		operation_answers(op, &argument, -EINVAL);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		argument.size = large[i];
		operation_answers(op, &argument, op->answer);
		argument.bytes[large[i] - 1] = 1;
		operation_answers(op, &argument, -E2BIG);
		argument.bytes[large[i] - 1] = 0;
	}
	argument.bytes[op->size] = 1; /* beyond what is passed: nobody's business */
	argument.size = (uint32_t)op->size;
	operation_answers(op, &argument, op->answer);
	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		argument.size = huge[i];
		operation_answers(op, &argument, -E2BIG);
	}
}

static void test_sizes(void **state)
{
	(void)state;
	operations_each(wrong_sizes);
}

static void wrong_flags(const struct operation *op)
{
	union argument argument = op->valid;

	operation_answers(op, &argument, op->answer);
	for (int bit = 0; bit < 32; bit++) {
		argument.file.flags = 1u << bit;
		if (op->command == MSHARE_CTL_CREATE && 1u << bit == MSHARE_CREATE_REPLACE)
			continue; /* test-ask.c */
		operation_answers(op, &argument, -EINVAL);
	}
}

static void test_flags(void **state)
{
	union argument query = operations.all[QUERY].valid;
	union argument wait = operations.all[WAIT].valid, ask = operations.all[ASK].valid;
	union argument next = operations.all[NEXT].valid, answer = operations.all[ANSWER].valid;

	(void)state;
	operations_each(wrong_flags);
	for (int bit = 0; bit < 32; bit++) {
		query.query.reserved = 1u << bit;
		operation_answers(&operations.all[QUERY], &query, -EINVAL);
		wait.wait.reserved = 1u << bit;
		operation_answers(&operations.all[WAIT], &wait, -EINVAL);
		ask.ask.map_fd = (int)(1u << bit);
		operation_answers(&operations.all[ASK], &ask, -EINVAL);
		ask.ask.map_fd = 0;
		ask.ask.map_off = 1ull << bit << bit;
		operation_answers(&operations.all[ASK], &ask, -EINVAL);
		ask.ask.map_off = 0;
		next.next.reserved = 1u << bit;
		operation_answers(&operations.all[NEXT], &next, -EINVAL);
		answer.answer.reserved = 1u << bit;
		operation_answers(&operations.all[ANSWER], &answer, -EINVAL);
	}
}

static void wrong_pointers(const struct operation *op)
{
	void *const bad[] = { NULL,
			      (void *)1,
			      operations.room + PAGE,
			      operations.room + PAGE - 2,
			      operations.room + PAGE - 4,
			      operations.room + PAGE - op->size + 1,
			      (void *)0x7ffffffff000,
			      (void *)0x8000000000000000,
			      (void *)0xffff888000000000,
			      (void *)-4 };
	char *last = operations.room + PAGE - op->size;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(operations.room, 0, PAGE);
		*(uint32_t *)(void *)(operations.room + PAGE - 4) = (uint32_t)op->size;
		if ((char *)bad[i] == last + 1)
			memcpy(last + 1, &op->valid, op->size - 1);
		check_equal(operation_call(op->command, bad[i]), -EFAULT);
	}
	/* The last byte that may be read is the last there is; one more cannot. */
	memcpy(last, &op->valid, op->size);
	check_equal(operation_call(op->command, last), op->answer);
	memcpy(last, &op->valid, op->size);
	*(uint32_t *)(void *)last += 8;
	check_equal(operation_call(op->command, last), -EFAULT);
	/* At no particular boundary. */
	memcpy(operations.room + 1, &op->valid, op->size);
	check_equal(operation_call(op->command, operations.room + 1), op->answer);
}

static void test_pointers(void **state)
{
	(void)state;
	operations_each(wrong_pointers);
}

/* Only what has answers in its struct writes there. */
static void from_constants(const struct operation *op)
{
	bool writes = _IOC_DIR(op->command) & _IOC_READ;

	memcpy(operations.room, &op->valid, op->size);
	check(mprotect(operations.room, PAGE, PROT_READ) == 0);
	check_equal(operation_call(op->command, operations.room), writes ? -EFAULT : op->answer);
	check(mprotect(operations.room, PAGE, READ_WRITE) == 0);
}

static void test_constants(void **state)
{
	(void)state;
	operations_each(from_constants);
}

static void wrong_protections(const struct operation *op)
{
	const uint32_t bad[] = { 0, 2, 4, 5, 7, 1u << 31, UINT32_MAX };
	union argument argument = op->valid;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		argument.file.prot = bad[i];
		operation_answers(op, &argument, -EINVAL);
	}
}

static void test_protections(void **state)
{
	(void)state;
	operations_each_with_file(wrong_protections);
}

static void test_flush_ranges(void **state)
{
	static const struct {
		uint64_t off, len;
	} bad[] = {
		{ 0, 0 },
		{ 1, SLOT },
		{ PAGE, SLOT },
		{ 0, PAGE },
		{ 0, SLOT + 1 },
		{ 0, OPERATIONS_SIZE + SLOT },
		{ OPERATIONS_SIZE, SLOT },
		{ OPERATIONS_SIZE - SLOT, 2 * SLOT },
		{ UINT64_MAX - SLOT + 1, SLOT },
		{ SLOT, UINT64_MAX - SLOT + 1 },
		{ 0, 1ull << 63 },
		{ 1ull << 63, 1ull << 63 },
	};
	const struct operation *op = &operations.all[FLUSH];
	union argument argument = op->valid;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		argument.flush.off = bad[i].off;
		argument.flush.len = bad[i].len;
		operation_answers(op, &argument, -EINVAL);
	}
	argument.flush.off = OPERATIONS_SIZE - SLOT;
	argument.flush.len = SLOT;
	operation_answers(op, &argument, 0);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		OPERATIONS_CASE(test_sizes),	   OPERATIONS_CASE(test_flags),
		OPERATIONS_CASE(test_pointers),	   OPERATIONS_CASE(test_constants),
		OPERATIONS_CASE(test_protections), OPERATIONS_CASE(test_flush_ranges),
	};

	return SHIM_MAIN(cases);
}
