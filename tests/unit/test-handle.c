/* SPDX-License-Identifier: MIT */
/* A handle that is not open is found out, whatever it is; an open one names its region for ever. */
#include "handle.h"
#include "mock-sys.h"
#include "region.h"
#include "unit.h"

#include <stdlib.h>

static struct region one = { .refs = 1 };
static struct region two = { .refs = 1 };

static mshare_t open_handle(struct region *r)
{
	mshare_t h = NULL;

	assert_int_equal(handle_new(r, &h), 0);
	assert_non_null(h);
	return h;
}

static void assert_names(mshare_t h, struct region *r)
{
	unsigned int before = atomic_load(&r->refs);

	assert_ptr_equal(handle_get(h), r);
	assert_int_equal(atomic_fetch_sub(&r->refs, 1), before + 1);
}

static void assert_closed(mshare_t h)
{
	assert_null(handle_get(h));
	assert_null(handle_take(h));
}

static void foreign_values(void **state)
{
	int local = 0;
	mshare_t h = open_handle(&one);

	(void)state;
	assert_closed(NULL);
	assert_closed((mshare_t)&local);
	assert_closed((mshare_t)&one);
	assert_closed((mshare_t)UINTPTR_MAX);
	for (uintptr_t value = 0; value < 5000; value++)
		assert_closed((mshare_t)value);
	for (unsigned int bit = 0; bit < 8 * sizeof(h); bit++)
		assert_closed((mshare_t)((uintptr_t)h ^ ((uintptr_t)1 << bit)));
	assert_names(h, &one);
	assert_ptr_equal(handle_take(h), &one);
}

static void closed_stays_closed(void **state)
{
	mshare_t h = open_handle(&one);

	(void)state;
	assert_ptr_equal(handle_take(h), &one);
	assert_closed(h);
	assert_int_equal(atomic_load(&one.refs), 1);
}

static void stale_while_its_place_is_used_again(void **state)
{
	mshare_t first = open_handle(&one);
	mshare_t last = first;

	(void)state;
	assert_ptr_equal(handle_take(first), &one);
	for (int generation = 0; generation < 10000; generation++) {
		mshare_t h = open_handle(&two);

		assert_ptr_not_equal(h, first);
		assert_ptr_not_equal(h, last);
		assert_closed(first);
		assert_closed(last);
		assert_names(h, &two);
		assert_ptr_equal(handle_take(h), &two);
		last = h;
	}
}

/* Closing in another order than opening, and opening into the gaps. */
static void many(void **state)
{
	enum { MANY = 3000 };
	struct region *regions = calloc(MANY, sizeof(*regions));
	mshare_t *handles = calloc(MANY, sizeof(mshare_t));

	(void)state;
	assert_true(regions && handles);
	for (int i = 0; i < MANY; i++)
		handles[i] = open_handle(&regions[i]);
	for (int i = 0; i < MANY; i++)
		assert_names(handles[i], &regions[i]);
	for (int i = 0; i < MANY; i += 3)
		assert_ptr_equal(handle_take(handles[i]), &regions[i]);
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			assert_closed(handles[i]);
		else
			assert_names(handles[i], &regions[i]);
	}
	for (int i = 0; i < MANY; i += 3) {
		mshare_t again = open_handle(&regions[i]);

		assert_closed(handles[i]);
		handles[i] = again;
	}
	for (int i = MANY - 1; i >= 0; i--) {
		assert_names(handles[i], &regions[i]);
		assert_ptr_equal(handle_take(handles[i]), &regions[i]);
		assert_closed(handles[i]);
	}
	free(handles);
	free(regions);
}

static void same_region_twice(void **state)
{
	mshare_t a = open_handle(&one);
	mshare_t b = open_handle(&one);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(handle_take(a), &one);
	assert_closed(a);
	assert_names(b, &one);
	assert_ptr_equal(handle_take(b), &one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_values),
		cmocka_unit_test(closed_stays_closed),
		cmocka_unit_test(stale_while_its_place_is_used_again),
		cmocka_unit_test(many),
		cmocka_unit_test(same_region_twice),
	};

	return cmocka_run_group_tests(tests, mock_setup, mock_teardown);
}
