/* SPDX-License-Identifier: MIT */
/* The record of what is attached: exact, across regions, and right after mappings went by hand. */
#include "attachment.h"
#include "mock-sys.h"
#include "unit.h"

#include <stdlib.h>

#define AT(n) ((void *)(0x10000000 + (uintptr_t)(n)*0x1000))

static struct region one = { .refs = 1 };
static struct region two = { .refs = 1 };

static void add(struct region *r, unsigned int page, size_t pages)
{
	struct attachment *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	*a = (struct attachment){ .region = r, .addr = AT(page), .len = pages * 0x1000 };
	assert_int_equal(attachment_add(a), 0);
}

static bool take(struct region *r, unsigned int page, size_t pages)
{
	struct attachment *a = attachment_take(r, AT(page), pages * 0x1000);
	bool taken = a;

	if (a) {
		assert_ptr_equal(a->addr, AT(page));
		assert_ptr_equal(a->region, r);
	}
	free(a);
	return taken;
}

static long count(struct region *r)
{
	struct attachment *list;
	long n = attachment_copy(r, &list);

	free(list);
	return n;
}

static void only_whole_and_only_once(void **state)
{
	(void)state;
	add(&one, 10, 4);
	assert_false(take(&one, 10, 3));
	assert_false(take(&one, 10, 5));
	assert_false(take(&one, 11, 3));
	assert_false(take(&one, 9, 5));
	assert_false(take(&one, 9, 1));
	assert_false(take(&one, 14, 1));
	assert_false(take(&one, 10, 0));
	assert_false(take(&two, 10, 4));
	assert_null(attachment_take(&one, AT(10), SIZE_MAX));
	assert_null(attachment_take(&one, NULL, 4 * 0x1000));
	assert_int_equal(count(&one), 1);
	assert_true(take(&one, 10, 4));
	assert_false(take(&one, 10, 4));
	assert_int_equal(count(&one), 0);
}

static void neighbours(void **state)
{
	(void)state;
	add(&one, 10, 4);
	add(&two, 14, 4);
	add(&one, 6, 4);
	assert_int_equal(count(&one), 2);
	assert_int_equal(count(&two), 1);
	assert_true(take(&two, 14, 4));
	assert_true(take(&one, 10, 4));
	assert_true(take(&one, 6, 4));
}

/* What a new mapping overlaps was unmapped by hand, whoever had attached it. */
static void overlapped_records_are_stale(void **state)
{
	(void)state;
	add(&one, 10, 2);
	add(&two, 12, 2);
	add(&one, 14, 2);
	add(&two, 16, 2);
	add(&two, 11, 4);
	assert_int_equal(count(&one), 0);
	assert_int_equal(count(&two), 2);
	assert_false(take(&one, 10, 2));
	assert_false(take(&two, 12, 2));
	assert_true(take(&two, 11, 4));
	assert_true(take(&two, 16, 2));
}

static void copies_tell_everything(void **state)
{
	struct attachment *list;

	(void)state;
	add(&one, 10, 1);
	add(&one, 20, 2);
	add(&two, 30, 3);
	assert_int_equal(attachment_copy(&one, &list), 2);
	assert_true((list[0].addr == AT(10) && list[1].addr == AT(20)) ||
		    (list[0].addr == AT(20) && list[1].addr == AT(10)));
	free(list);
	attachment_forget_all(&one);
	assert_int_equal(count(&one), 0);
	assert_int_equal(count(&two), 1);
	assert_false(take(&one, 10, 1));
	attachment_forget_all(&two);
	assert_int_equal(attachment_copy(&two, &list), 0);
	free(list);
}

static void many_in_any_order(void **state)
{
	enum { MANY = 2000, STEP = 7 }; /* STEP does not divide MANY: visits every number */

	(void)state;
	for (unsigned int i = 0; i < MANY; i++)
		add(&one, i * STEP % MANY, 1);
	assert_int_equal(count(&one), MANY);
	for (unsigned int i = 0; i < MANY; i++)
		assert_true(take(&one, i * 3 % MANY, 1));
	assert_int_equal(count(&one), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_and_only_once),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(overlapped_records_are_stale),
		cmocka_unit_test(copies_tell_everything),
		cmocka_unit_test(many_in_any_order),
	};

	return cmocka_run_group_tests(tests, mock_setup, mock_teardown);
}
